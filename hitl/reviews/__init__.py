"""The review service: open, claim, decide, undo, expire, cancel, and read a run's story.

`ReviewQueue` is the one door for the web pages, the HTTP API, the command line and Python;
`open_review` and `supersede` are the runtime's, inside its own transactions.
"""

from hitl.lifecycle import NO_ANSWER, NoAnswer
from hitl.reviews.ancestry import around
from hitl.reviews.asked import AskReport, ask_reports, people_asked
from hitl.reviews.clock import utcnow
from hitl.reviews.closing import supersede, withdraw
from hitl.reviews.deciding import record_decision
from hitl.reviews.erasing import erase_run, prune
from hitl.reviews.measures import MEASURES, figures
from hitl.reviews.once import LONGEST_KEY, check_key, first_under
from hitl.reviews.opening import effect_fingerprint, open_review, proposal_hash
from hitl.reviews.policies import put_in_force
from hitl.reviews.queue import ReviewQueue
from hitl.reviews.sealing import Sealer, read_signer, sealer_of
from hitl.reviews.shadow import ShadowCheckpoint, ShadowReport, shadow_reports
from hitl.reviews.stopping import check_actor, stop_all
from hitl.reviews.timeline import RunTimeline, TimelineStep
from hitl.reviews.users import Users
from hitl.reviews.watching import raise_unexecuted

__all__ = [
    "LONGEST_KEY",
    "MEASURES",
    "NO_ANSWER",
    "AskReport",
    "NoAnswer",
    "ReviewQueue",
    "RunTimeline",
    "Sealer",
    "ShadowCheckpoint",
    "ShadowReport",
    "TimelineStep",
    "Users",
    "around",
    "ask_reports",
    "check_actor",
    "check_key",
    "effect_fingerprint",
    "erase_run",
    "figures",
    "first_under",
    "open_review",
    "people_asked",
    "proposal_hash",
    "prune",
    "put_in_force",
    "raise_unexecuted",
    "read_signer",
    "record_decision",
    "sealer_of",
    "shadow_reports",
    "stop_all",
    "supersede",
    "utcnow",
    "withdraw",
]
