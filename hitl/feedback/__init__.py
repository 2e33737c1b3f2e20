"""From clicks to data: labelled examples, snapshots of them, and files that trainers load.

Who decided is told apart everywhere: what a policy decided, an expiry included, is no label.
"""

from hitl.feedback.examples import LabelledExample, LateOutcome, Shown, ShownEvidence
from hitl.feedback.exports import FORMATS, Exported, export
from hitl.feedback.labels import NOT_WRONG
from hitl.feedback.reading import Tally, read_examples
from hitl.feedback.selection import Selection, Splits, redacted
from hitl.feedback.snapshots import (
    Manifest,
    changed,
    chosen,
    erased_since,
    read_manifest,
    read_snapshot,
    take_snapshot,
)

__all__ = [
    "FORMATS",
    "NOT_WRONG",
    "Exported",
    "LabelledExample",
    "LateOutcome",
    "Manifest",
    "Selection",
    "Shown",
    "ShownEvidence",
    "Splits",
    "Tally",
    "changed",
    "chosen",
    "erased_since",
    "export",
    "read_examples",
    "read_manifest",
    "read_snapshot",
    "redacted",
    "take_snapshot",
]
