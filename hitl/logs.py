"""Structured logs by an allow-list: what is not known to be harmless is not written.

A log goes where proposals must not go. So a line holds the sentence as it stands in the code, without
what is filled into it; ids under known names; and of an error its type and where it came from, never
its text, which may quote what an agent wrote. Control characters are taken out of everything.
"""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

ALLOWED = frozenset({"incident", "mail_id", "review_id", "run_id", "run_ids"})
"""Names in `extra=` that are written; all are ids."""
_LOGGERS = ("hitl", "review_ui")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST = 500
_MOST_FRAMES = 12


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "said": _clean(record.msg),
        }
        line |= {
            name: _value(getattr(record, name)) for name in sorted(ALLOWED & vars(record).keys())
        }
        if record.exc_info and record.exc_info[1] is not None:
            error, trace = record.exc_info[1], record.exc_info[2]
            line |= {"error": type(error).__name__, "from": _frames(trace)}
        return json.dumps(line, ensure_ascii=True)


def log_json(stream: TextIO | None = None, *, level: int = logging.INFO) -> logging.Handler:
    """Write what hitl logs as JSON lines, and nowhere else; return the handler.

    Args:
        stream: Where to; standard error when None.
        level: The least level that is written.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
    return handler


def _value(value: object) -> object:
    if isinstance(value, int | float) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value[:50]]
    return _clean(value)


def _clean(value: object) -> str:
    return _CONTROL.sub("\ufffd", str(value)[:_LONGEST])


def _frames(trace: TracebackType | None) -> list[str]:
    """Return where an error came from, the innermost last; no source line and no value."""
    frames = traceback.extract_tb(trace)[-_MOST_FRAMES:]
    return [f"{Path(f.filename).name}:{f.lineno} {_clean(f.name)}" for f in frames]
