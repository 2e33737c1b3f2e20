"""The static files: read once, served from memory under a URL that changes with their bytes."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".woff2": "font/woff2", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SERVED = {".css", *_TYPES}
_IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Bundle:
    """All static files of one version, and the digest over them that their URLs carry."""

    digest: str
    files: dict[str, bytes]


def load_bundle(folder: Path = _FOLDER) -> Bundle:
    """Read every servable file below `folder`.

    One digest covers them all, so that a relative `url(...)` in the style sheet stays valid.
    """
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in _SERVED
    }
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return Bundle(digest=digest.hexdigest()[:12], files=files)


BUNDLE = load_bundle()
router = APIRouter(include_in_schema=False)


@router.get("/_s/{digest}/{name:path}", name="hitl:static")
def static_file(digest: str, name: str) -> Response:
    """Serve one file; an old digest is not found, so no cache ever mixes two versions."""
    data = BUNDLE.files.get(name) if digest == BUNDLE.digest else None
    if data is None:
        return Response(status_code=404)
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    return Response(data, media_type=kind, headers={"Cache-Control": _IMMUTABLE})
