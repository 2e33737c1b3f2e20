"""S32, S58, S60: no canary gets into a log, and no control character."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from hitl.logs import log_json

CANARY = "sk-live-4242424242424242"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    before = {
        name: (logging.getLogger(name).handlers, logging.getLogger(name).propagate)
        for name in ("hitl", "review_ui")
    }
    stream = io.StringIO()
    log_json(stream)
    yield stream
    for name, (handlers, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(logging.NOTSET)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def fail(secret: str) -> None:
    raise ValueError(f"cannot pay with {secret}")


def test_a_line_has_the_sentence_the_ids_and_where_an_error_came_from(
    written: io.StringIO,
) -> None:
    try:
        fail(CANARY)
    except ValueError:
        logging.getLogger("hitl.engines").exception("a step raised", extra={"run_id": "run_1"})

    (line,) = lines(written)
    assert (line["said"], line["run_id"], line["level"]) == ("a step raised", "run_1", "error")
    assert line["error"] == "ValueError"
    assert line["from"][-1].startswith("test_logs.py:")
    assert line["from"][-1].endswith(" fail")


def test_nothing_else_gets_in(written: io.StringIO) -> None:
    log = logging.getLogger("hitl.graph")
    log.warning("filled in: %s", CANARY)
    log.warning("extra", extra={"proposal": CANARY, "headers": {"authorization": CANARY}})
    try:
        fail(CANARY)
    except ValueError as problem:
        log.error("wrapped", exc_info=problem, stack_info=True)
    logging.getLogger("review_ui.app").error("a page failed", extra={"incident": "inc_1"})

    assert CANARY not in written.getvalue()
    assert len(lines(written)) == 4


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nlevel: fake", "\x9b1m", "\u202egnp", "\r\b"])
def test_what_moves_a_cursor_is_taken_out(written: io.StringIO, hostile: str) -> None:
    logging.getLogger("hitl").warning("seen", extra={"run_id": hostile, "run_ids": [hostile]})

    raw = written.getvalue()
    assert raw.count("\n") == 1
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in raw.rstrip("\n"))
    assert "\\u001b" not in raw
    assert "\\u202e" not in raw


def test_a_long_id_is_cut(written: io.StringIO) -> None:
    logging.getLogger("hitl").warning("seen", extra={"run_id": "x" * 10_000})

    assert len(lines(written)[0]["run_id"]) == 500
