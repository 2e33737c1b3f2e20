"""One Jinja environment: everything escaped, missing names refused, agent text through filters.

Filters for what agents wrote: `inline` (one line), `block` (keeps lines, folds), `plain` (attributes).
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from review_ui import keys, phrases, text
from review_ui.assets import BUNDLE
from review_ui.site import site_of

_FOLDER = Path(__file__).parent / "templates"


@lru_cache(maxsize=8)
def _environment(folder: Path | None = None) -> Environment:
    env = Environment(
        loader=FileSystemLoader([_FOLDER] if folder is None else [folder, _FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {"inline": text.inline, "block": text.block, "plain": text.plain}
    env.filters |= {"probability": phrases.probability, "moment": phrases.moment}
    env.globals["counted"] = phrases.counted
    env.globals |= {"key": keys.bound, "row_key": keys.bound_here, "letter": keys.letter}
    env.globals["all_keys"] = keys.KEYS
    return env


def path_for(request: Request, name: str, /, **parts: str | int) -> str:
    """Return the path of one of our routes, below wherever the pages are mounted.

    Ids come from users: what means something in a URL is quoted.
    """
    quoted = {k: quote(str(v), safe="/" if k == "name" else "") for k, v in parts.items()}
    return request.url_for(f"hitl:{name}", **quoted).path


def static_path(request: Request, name: str) -> str:
    """Return the path of a static file, its digest included."""
    return path_for(request, "static", digest=BUNDLE.digest, name=name)


def is_partial(request: Request) -> bool:
    """Return whether htmx asked for a fragment."""
    return request.headers.get("HX-Request-Type") == "partial"


def render(
    request: Request,
    name: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> HTMLResponse:
    """Render template `name`; a leading underscore marks a fragment.

    Templates of pages mounted beside ours are looked for in `folder` first; they may extend ours.
    """
    html = _environment(folder).get_template(name).render(_shared(request) | dict(context))
    return HTMLResponse(html, status_code=status, headers=dict(headers or {}))


def _shared(request: Request) -> dict[str, object]:
    site = site_of(request)
    return {
        "title": site.title,
        "reviewer": site.reviewer,
        "theme": _choice(request, "hitl_theme", ("light", "dark")),
        "keys": _choice(request, "hitl_keys", ("off",)) or "on",
        "signed_in": site.door is not None,
        "front": site.front,
        "path_for": partial(path_for, request),
        "static": partial(static_path, request),
        "here": request.url.path,
        "partial": is_partial(request),
        "tab": "",
        "waiting": 0,
    }


def _choice(request: Request, cookie: str, allowed: tuple[str, ...]) -> str:
    value = request.cookies.get(cookie, "")
    return value if value in allowed else ""
