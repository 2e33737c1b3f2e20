"""The review queue of another process, over its HTTP API.

Refusals come back as the same errors the queue raises in its own process. A server that gives no
answer is `ServerUnreachable`: what it did is unknown, so a decision is sent once more under the same
decision id, which never decides twice.
"""

import secrets
from collections.abc import Sequence
from typing import TypeVar

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from hitl.canonical import canonical_json
from hitl.client.answers import bearer, quoted, read_answer, silent
from hitl.client.records import (
    AuditPage,
    DecisionBody,
    NewKey,
    ReviewDetail,
    ReviewPage,
    RunDetail,
    RunPage,
    UserDetail,
    UserPage,
)
from hitl.errors import InvalidAnswer, ServerUnreachable
from hitl.lifecycle import NO_ANSWER, NoAnswer
from hitl.models import (
    AuditEvent,
    Decision,
    RemedyKind,
    Review,
    ReviewStatus,
    Role,
    RunRecord,
    RunStatus,
    Verdict,
)

T = TypeVar("T", bound=BaseModel)

_Body = dict[str, JsonValue]
_Query = dict[str, str | int | bool | list[str] | None]


class QueueClient:
    """The queue of the process that serves the store.

        with QueueClient("http://127.0.0.1:8700", token=token) as queue:
            review = queue.pending()[0]
            queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)

    Args:
        url: Where the serving process listens.
        token: The serving machine's own token.
        api_key: A user's key instead. With neither, the environment's `HITL_KEY`.
        timeout: Seconds to wait for an answer.
        transport: How to get there; None for the network. For tests and for sockets of one's own.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers=bearer(token, api_key),
            timeout=timeout,
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> "QueueClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def pending(
        self,
        *,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """See `ReviewQueue.pending`."""
        return self.reviews(
            status=(ReviewStatus.PENDING,),
            workflow=workflow,
            blocking=blocking,
            limit=limit,
            after=after,
        )

    def reviews(
        self,
        *,
        status: Sequence[ReviewStatus] = (),
        run_id: str | None = None,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """See `ReviewQueue.reviews`."""
        query: _Query = {
            "status": [s.value for s in status],
            "run_id": run_id,
            "workflow": workflow,
            "blocking": blocking,
            "limit": limit,
            "after": after,
        }
        return list(self._get("/v1/reviews", ReviewPage, query).reviews)

    def get(self, review_id: str) -> Review:
        """See `ReviewQueue.get`."""
        return self._get(f"/v1/reviews/{quoted(review_id)}", ReviewDetail)

    def decide(
        self,
        review_id: str,
        verdict: Verdict | str,
        *,
        by: str,
        proposal_hash: str,
        decision_id: str | None = None,
        reasons: Sequence[str] = (),
        note: str = "",
        remedy: RemedyKind | str | None = None,
        answer: JsonValue | NoAnswer = NO_ANSWER,
        surface: str = "cli",
        shown_ms: int | None = None,
        fence: str | None = None,
    ) -> Decision:
        """See `ReviewQueue.decide`.

        Raises:
            ReviewRefusal: As the queue raises it.
            ServerUnreachable: No answer, twice; whether the decision was written is unknown.
        """
        body: _Body = {
            "verdict": verdict,
            "by": by,
            "proposal_hash": proposal_hash,
            "decision_id": decision_id or f"dec_{secrets.token_hex(10)}",
            "reasons": list(reasons),
            "note": note,
            "remedy": remedy,
            "surface": surface,
            "shown_ms": shown_ms,
            "fence": fence,
        }
        if not isinstance(answer, NoAnswer):
            body["answer"] = answer
        _check(review_id, body)
        path = f"/v1/reviews/{quoted(review_id)}/decision"
        try:
            return self._post(path, Decision, body, review_id)
        except ServerUnreachable:
            return self._post(path, Decision, body, review_id)

    def cancel(self, review_id: str, *, by: str, reason: str) -> Review:
        """See `ReviewQueue.cancel`."""
        path = f"/v1/reviews/{quoted(review_id)}/cancel"
        return self._post(path, ReviewDetail, {"by": by, "reason": reason}, review_id)

    def take_over(self, review_id: str, *, by: str) -> Review:
        """See `ReviewQueue.take_over`."""
        path = f"/v1/reviews/{quoted(review_id)}/takeover"
        return self._post(path, ReviewDetail, {"by": by}, review_id)

    def hand_back(self, review_id: str, *, by: str) -> Review:
        """See `ReviewQueue.hand_back`."""
        path = f"/v1/reviews/{quoted(review_id)}/handback"
        return self._post(path, ReviewDetail, {"by": by}, review_id)

    def runs(
        self,
        *,
        workflow: str | None = None,
        status: Sequence[RunStatus] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """See `ReviewQueue.runs`."""
        query: _Query = {
            "workflow": workflow,
            "status": [s.value for s in status],
            "limit": limit,
            "before": before,
        }
        return list(self._get("/v1/runs", RunPage, query).runs)

    def run(self, run_id: str) -> RunRecord:
        """See `ReviewQueue.run`."""
        told = self._get(f"/v1/runs/{quoted(run_id)}", RunDetail)
        return RunRecord(**{name: getattr(told, name) for name in RunRecord.model_fields})

    def start(
        self, workflow: str, inputs: JsonValue, *, key: str | None = None, by: str | None = None
    ) -> RunDetail:
        """Start a run where its workflow is served; the same key never starts a second one.

        Raises:
            NotFound: The workflow is not served there.
            RequestRefused: The key came with other inputs.
        """
        body: _Body = {"workflow": workflow, "inputs": inputs, "by": by}
        return self._post("/v1/runs", RunDetail, body, workflow, key=key)

    def stop(self, run_id: str, *, by: str, reason: str = "") -> RunRecord:
        """See `ReviewQueue.stop`."""
        path = f"/v1/runs/{quoted(run_id)}/stop"
        return self._post(path, RunRecord, {"by": by, "reason": reason}, run_id)

    def resume(self, run_id: str, *, by: str) -> RunRecord:
        """See `ReviewQueue.resume`."""
        return self._post(f"/v1/runs/{quoted(run_id)}/resume", RunRecord, {"by": by}, run_id)

    def audit(self, *, after: int = 0, limit: int = 100) -> list[AuditEvent]:
        """See `ReviewQueue.audit`."""
        return list(self._get("/v1/audit", AuditPage, {"after": after, "limit": limit}).events)

    def users(self) -> list[UserDetail]:
        """See `Users.all`."""
        return list(self._get("/v1/users", UserPage).users)

    def add_user(
        self, name: str, role: Role | str, *, owner: str | None = None
    ) -> tuple[UserDetail, str]:
        """See `Users.add`; it is made by whose key this client sends."""
        body: _Body = {"name": name, "role": str(role), "owner": owner}
        made = self._post("/v1/users", NewKey, body, name)
        return made.user, made.key

    def revoke_user(self, name_or_id: str) -> list[UserDetail]:
        """See `Users.revoke`; it is revoked by whose key this client sends."""
        path = f"/v1/users/{quoted(name_or_id)}/revoke"
        return list(self._post(path, UserPage, {}, name_or_id).users)

    def _get(self, path: str, answer: type[T], query: _Query | None = None) -> T:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._asked(self._http.build_request("GET", path, params=given), answer)

    def _post(
        self, path: str, answer: type[T], body: _Body, about: str, *, key: str | None = None
    ) -> T:
        try:
            content = canonical_json(body)
        except ValueError as problem:
            raise InvalidAnswer(about, f"{problem}. Nothing was sent.") from problem
        kind = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self._asked(
            self._http.build_request("POST", path, content=content, headers=kind), answer
        )

    def _asked(self, request: httpx.Request, answer: type[T]) -> T:
        try:
            response = self._http.send(request)
        except httpx.HTTPError as silence:
            raise silent(self.url, silence) from silence
        return read_answer(self.url, response, answer)


def _check(review_id: str, body: _Body) -> None:
    try:
        DecisionBody.model_validate(body)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidAnswer(review_id, f"{field!r}: {first['msg']}. Nothing was sent.") from problem
