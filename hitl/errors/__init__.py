"""Every error the library raises. Each message says what, which, in which state, and what now.

The hierarchy:

* HitlError
  + NotFound
    - UnknownWorkflow
  + ConfigurationError
    - UnknownStep
    - NotBuilt
    - PolicyFileError
    - MissingExtra
  + StoreError
    - StoreUnavailable
    - NewerDatabase
    - StoreInUse
    - StoreFailed
  + ReviewRefusal
    - AlreadyDecided
    - ReviewClosed
    - ReviewExpired
    - ProposalChanged
    - NotAllowed
    - ClaimLost
    - InvalidAnswer
    - TooLateToUndo
    - DecisionIdReused
  + ProposalRefused
  + RequestRefused
  + UserRefused
  + InvalidReport
  + InvalidQuestion
  + LeaseLost
  + ResumeRefused
  + RunNotFinished
  + RunStopped
  + RunBusy
  + RunRefusal
  + ServerUnreachable
  + UpkeepRefused
  + TrailBroken
  + SnapshotRefused
  + InjectedFault
  + EvidenceRefusal
    - UnusableColumn
    - NotIdentifiable
    - TooFewLabels
"""

from hitl.errors.evidence import (
    EvidenceRefusal,
    NotIdentifiable,
    TooFewLabels,
    UnusableColumn,
)
from hitl.errors.refusals import (
    AlreadyDecided,
    ClaimLost,
    DecisionIdReused,
    InvalidAnswer,
    NotAllowed,
    ProposalChanged,
    ReviewClosed,
    ReviewExpired,
    ReviewRefusal,
    TooLateToUndo,
)
from hitl.errors.sentences import (
    ConfigurationError,
    HitlError,
    InjectedFault,
    InvalidQuestion,
    InvalidReport,
    LeaseLost,
    MissingExtra,
    NewerDatabase,
    NotBuilt,
    NotFound,
    PolicyFileError,
    ProposalRefused,
    RequestRefused,
    ResumeRefused,
    RunBusy,
    RunNotFinished,
    RunRefusal,
    RunStopped,
    ServerUnreachable,
    StoreError,
    StoreFailed,
    StoreInUse,
    StoreUnavailable,
    UnknownStep,
    UnknownWorkflow,
    UserRefused,
)
from hitl.errors.upkeep import SnapshotRefused, TrailBroken, UpkeepRefused

__all__ = [
    "AlreadyDecided",
    "ClaimLost",
    "ConfigurationError",
    "DecisionIdReused",
    "EvidenceRefusal",
    "HitlError",
    "InjectedFault",
    "InvalidAnswer",
    "InvalidQuestion",
    "InvalidReport",
    "LeaseLost",
    "MissingExtra",
    "NewerDatabase",
    "NotAllowed",
    "NotBuilt",
    "NotFound",
    "NotIdentifiable",
    "PolicyFileError",
    "ProposalChanged",
    "ProposalRefused",
    "RequestRefused",
    "ResumeRefused",
    "ReviewClosed",
    "ReviewExpired",
    "ReviewRefusal",
    "RunBusy",
    "RunNotFinished",
    "RunRefusal",
    "RunStopped",
    "ServerUnreachable",
    "SnapshotRefused",
    "StoreError",
    "StoreFailed",
    "StoreInUse",
    "StoreUnavailable",
    "TooFewLabels",
    "TooLateToUndo",
    "TrailBroken",
    "UnknownStep",
    "UnknownWorkflow",
    "UnusableColumn",
    "UpkeepRefused",
    "UserRefused",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # tracebacks name an error where users import it from
