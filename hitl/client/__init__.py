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
    ResumeBody,
    ReviewDetail,
    ReviewPage,
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
    "ResumeBody",
    "ReviewClient",
    "ReviewDetail",
    "ReviewPage",
    "RunPage",
    "StopBody",
    "TakeoverBody",
    "UserBody",
    "UserDetail",
    "UserPage",
]
