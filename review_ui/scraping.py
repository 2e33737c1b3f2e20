"""`GET /metrics`: figures for a Prometheus server. Numbers only: no id, no name, nothing of a proposal."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


def metrics(figures: Callable[[], str]) -> APIRouter:
    """Return the router of `/metrics`.

    Args:
        figures: Returns the page as it is now.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def read_metrics() -> Response:
        """Answer with the figures as they are now."""
        return Response(figures(), media_type=_TEXT)

    return router
