"""The nouns: frozen pydantic records and the enums whose values are the words on the buttons.

Nothing here knows a database, a web page or a graph. Times are aware and in UTC; durations are
`timedelta`; probabilities are floats in [0, 1].
"""

from hitl.models.log import (
    AuditEvent,
    GateRow,
    Opinion,
    Outcome,
    Tried,
)
from hitl.models.requests import REQUESTS, Amendment, ReviewRequest
from hitl.models.reviews import (
    Decision,
    Denial,
    Evidence,
    FieldChange,
    Intent,
    Presentation,
    Proposal,
    Review,
    RungOffer,
    Signal,
    StepName,
    TriggerFired,
    Vouched,
)
from hitl.models.runs import (
    Mail,
    MailKind,
    ProposalKey,
    RunRecord,
    StateSize,
    StoredProposal,
)
from hitl.models.words import (
    ConfidenceKind,
    Covers,
    DecidedBy,
    Duration,
    JsonObject,
    Place,
    Probability,
    Record,
    RemedyKind,
    ReviewStatus,
    RunStatus,
    Verdict,
)

__all__ = [
    "REQUESTS",
    "Amendment",
    "AuditEvent",
    "ConfidenceKind",
    "Covers",
    "DecidedBy",
    "Decision",
    "Denial",
    "Duration",
    "Evidence",
    "FieldChange",
    "GateRow",
    "Intent",
    "JsonObject",
    "Mail",
    "MailKind",
    "Opinion",
    "Outcome",
    "Place",
    "Presentation",
    "Probability",
    "Proposal",
    "ProposalKey",
    "Record",
    "RemedyKind",
    "Review",
    "ReviewRequest",
    "ReviewStatus",
    "RunRecord",
    "RunStatus",
    "RungOffer",
    "Signal",
    "StateSize",
    "StepName",
    "StoredProposal",
    "Tried",
    "TriggerFired",
    "Verdict",
    "Vouched",
]
