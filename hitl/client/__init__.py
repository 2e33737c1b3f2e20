"""The queue of another process, over its HTTP API, and the records both ends speak.

`QueueClient` is for those who decide, `ReviewClient` for programs that ask.
"""

from hitl.client.queue import QueueClient
from hitl.client.records import (
    AuditPage,
    CancelBody,
    DecisionBody,
    NewKey,
    Problem,
    Readiness,
    ResumeBody,
    ReviewDetail,
    ReviewPage,
    RunBody,
    RunDetail,
    RunPage,
    StopBody,
    TakeoverBody,
    UserBody,
    UserDetail,
    UserPage,
)
from hitl.client.reviews import AsyncReviewClient, ReviewClient

__all__ = [
    "AsyncReviewClient",
    "AuditPage",
    "CancelBody",
    "DecisionBody",
    "NewKey",
    "Problem",
    "QueueClient",
    "Readiness",
    "ResumeBody",
    "ReviewClient",
    "ReviewDetail",
    "ReviewPage",
    "RunBody",
    "RunDetail",
    "RunPage",
    "StopBody",
    "TakeoverBody",
    "UserBody",
    "UserDetail",
    "UserPage",
]
