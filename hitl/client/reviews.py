"""Asking a person from any program: open a review over HTTP, wait for the answer.

    with ReviewClient("http://127.0.0.1:8700", token) as people:
        review = people.request(ReviewRequest(action="pay", arguments={"eur": 120}), key="order-7")
        if people.wait(review.id).status is ReviewStatus.APPROVED:
            pay(120)

Asking again under the same key after a crash returns the same review, so nobody is asked twice.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from hitl.client.answers import bearer, quoted, read_answer, silent
from hitl.client.records import CancelBody, ReviewDetail
from hitl.errors import ServerUnreachable
from hitl.models import Amendment, JsonObject, ReviewRequest, ReviewStatus

_JSON = {"Content-Type": "application/json"}
_POLL = 20.0
"""Seconds one request waits for an answer at the server."""


class ReviewClient:
    """Asks people on behalf of a program, over the HTTP API.

    Args:
        url: Where the serving process listens.
        token: The serving machine's own token.
        api_key: An agent's key instead (`hitl user add NAME --role agent`). With neither, the
            environment's `HITL_KEY`.
        timeout: Seconds to wait for the server, its own waiting left out.
        transport: How to get there; None for the network.
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
        self._timeout = timeout
        self._http = httpx.Client(
            base_url=url, headers=bearer(token, api_key), transport=transport, trust_env=False
        )

    def __enter__(self) -> "ReviewClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, request: ReviewRequest, *, key: str | None = None) -> ReviewDetail:
        """Put an action before a person.

        Args:
            request: What would be done, and what to look at.
            key: Idempotency key; the same key with the same request returns the same review.

        Raises:
            RequestRefused: It cannot be put before a person, or the key came with another request.
            ServerUnreachable: No answer; ask again under the same key.
        """
        return self._send(_opening(request, key))

    def get(self, review_id: str) -> ReviewDetail:
        """Return the review as it stands.

        Raises:
            NotFound: There is no such review.
        """
        return self._send(_Call("GET", _path(review_id)))

    def wait(self, review_id: str, *, timeout: float | None = None) -> ReviewDetail:
        """Return the review once it is not pending any more, or as it stands after `timeout` seconds.

        A server that goes away meanwhile is asked again until the time is over.
        """
        clock = _Patience(timeout)
        while True:
            try:
                review = self._send(_waiting(review_id, clock.span))
            except ServerUnreachable:
                if clock.is_over:
                    raise
                time.sleep(min(1.0, clock.span))  # a server that is gone keeps nobody waiting
                continue
            if review.status is not ReviewStatus.PENDING or clock.is_over:
                return review

    def amend(self, review_id: str, arguments: JsonObject) -> ReviewDetail:
        """Put other arguments before the reviewer; what was answered on the old ones is void.

        Raises:
            ReviewRefusal: It is not pending any more, or its time is over.
        """
        return self._send(_amending(review_id, arguments))

    def cancel(self, review_id: str, *, by: str, reason: str) -> ReviewDetail:
        """Take the question back.

        Raises:
            ReviewRefusal: It is not pending any more, or `by` is an agent's name.
        """
        return self._send(_cancelling(review_id, by, reason))

    def _send(self, call: "_Call") -> ReviewDetail:
        try:
            answer = self._http.request(
                call.method, call.path, timeout=self._timeout + call.patience, **call.rest
            )
        except httpx.HTTPError as silence:
            raise silent(self.url, silence) from silence
        return read_answer(self.url, answer, ReviewDetail)


class AsyncReviewClient:
    """See `ReviewClient`; every method is awaited."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            base_url=url, headers=bearer(token, api_key), transport=transport, trust_env=False
        )

    async def __aenter__(self) -> "AsyncReviewClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def request(self, request: ReviewRequest, *, key: str | None = None) -> ReviewDetail:
        """See `ReviewClient.request`."""
        return await self._send(_opening(request, key))

    async def get(self, review_id: str) -> ReviewDetail:
        """See `ReviewClient.get`."""
        return await self._send(_Call("GET", _path(review_id)))

    async def wait(self, review_id: str, *, timeout: float | None = None) -> ReviewDetail:  # noqa: ASYNC109 - as in `ReviewClient`
        """See `ReviewClient.wait`."""
        clock = _Patience(timeout)
        while True:
            try:
                review = await self._send(_waiting(review_id, clock.span))
            except ServerUnreachable:
                if clock.is_over:
                    raise
                await asyncio.sleep(min(1.0, clock.span))
                continue
            if review.status is not ReviewStatus.PENDING or clock.is_over:
                return review

    async def amend(self, review_id: str, arguments: JsonObject) -> ReviewDetail:
        """See `ReviewClient.amend`."""
        return await self._send(_amending(review_id, arguments))

    async def cancel(self, review_id: str, *, by: str, reason: str) -> ReviewDetail:
        """See `ReviewClient.cancel`."""
        return await self._send(_cancelling(review_id, by, reason))

    async def _send(self, call: "_Call") -> ReviewDetail:
        try:
            answer = await self._http.request(
                call.method, call.path, timeout=self._timeout + call.patience, **call.rest
            )
        except httpx.HTTPError as silence:
            raise silent(self.url, silence) from silence
        return read_answer(self.url, answer, ReviewDetail)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, whatever colour sends it."""

    method: str
    path: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    patience: float = 0.0
    """Seconds the server was asked to wait."""

    @property
    def rest(self) -> dict[str, Any]:
        """What httpx is given besides."""
        wait = {"params": {"wait": self.patience}} if self.patience else {}
        return {"content": self.content, "headers": self.headers, **wait}


class _Patience:
    """How long to go on waiting; None is for ever."""

    def __init__(self, timeout: float | None) -> None:
        self._ends = None if timeout is None else time.monotonic() + timeout

    @property
    def span(self) -> float:
        """Seconds the next request may wait at the server."""
        left = _POLL if self._ends is None else self._ends - time.monotonic()
        return max(0.0, min(_POLL, left))

    @property
    def is_over(self) -> bool:
        return self._ends is not None and time.monotonic() >= self._ends


def _opening(request: ReviewRequest, key: str | None) -> _Call:
    headers = dict(_JSON) if key is None else {**_JSON, "Idempotency-Key": key}
    content = request.model_dump_json(exclude_defaults=True).encode()
    return _Call("POST", "/v1/reviews", content, headers)


def _waiting(review_id: str, span: float) -> _Call:
    return _Call("GET", _path(review_id), patience=span)


def _amending(review_id: str, arguments: JsonObject) -> _Call:
    body = Amendment(arguments=arguments).model_dump_json(exclude_defaults=True)
    return _Call("PATCH", _path(review_id), body.encode(), _JSON)


def _cancelling(review_id: str, by: str, reason: str) -> _Call:
    body = CancelBody(by=by, reason=reason).model_dump_json()
    return _Call("POST", f"{_path(review_id)}/cancel", body.encode(), _JSON)


def _path(review_id: str) -> str:
    return f"/v1/reviews/{quoted(review_id)}"
