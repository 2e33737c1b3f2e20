"""What a supervisor asks: is the process alive, and can it do its work."""

import shutil
from pathlib import Path

from fastapi import APIRouter, Response

from hitl.client import Readiness
from hitl.errors import HitlError
from hitl.reviews import ReviewQueue
from review_ui.sentences import answer

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that must be free on the disk of a database file."""
_FILE = "sqlite:///"


def add_probes(router: APIRouter, queue: ReviewQueue) -> None:
    """Add `/healthz` and `/readyz`; both are open to everybody and tell nothing of what is kept."""

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Return that the process is alive."""
        return {"status": "alive"}

    @router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
    def readyz() -> Response:
        """Return whether it can do its work: 503 when the database does not answer, or has no room."""
        problems = [p for p in (_database(queue), _disk(queue.url)) if p]
        told = Readiness(ready=not problems, problems=tuple(problems))
        return answer(told, status=503 if problems else 200)


def _database(queue: ReviewQueue) -> str | None:
    """Ask the database; its tables were brought to this version when it was opened."""
    try:
        queue.counts()
    except HitlError:
        return "The database does not answer."
    return None


def _disk(url: str) -> str | None:
    folder = Path(url.removeprefix(_FILE)).parent
    if not url.startswith(_FILE) or not folder.is_dir():
        return None
    free = shutil.disk_usage(folder).free
    if free >= LEAST_FREE:
        return None
    return f"The database's disk has {free // 1024} KiB left; {LEAST_FREE // 1024} are needed."
