"""S53 to S57: what somebody wrote into the database is not executed, and the run is parked with a sentence."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde import jsonplus
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel

from hitl.errors import SnapshotRefused
from hitl.graph.strict import StrictSerializer
from hitl.models import RunStatus
from tests.runtime.stage import Cheque, always, approve, line, only, opened, policy

CALLS: dict[str, tuple[int, Callable[[str], Any]]] = {
    "one argument": (jsonplus.EXT_CONSTRUCTOR_SINGLE_ARG, lambda p: ("os", "mkdir", p)),
    "arguments": (jsonplus.EXT_CONSTRUCTOR_POS_ARGS, lambda p: ("os", "mkdir", (p,))),
    "keywords": (jsonplus.EXT_CONSTRUCTOR_KW_ARGS, lambda p: ("os", "mkdir", {"path": p})),
    "a method": (jsonplus.EXT_METHOD_SINGLE_ARG, lambda p: ("pathlib", "os", p, "mkdir")),
    "pydantic 1": (jsonplus.EXT_PYDANTIC_V1, lambda p: ("os", "mkdir", {"path": p})),
    "pydantic 2": (jsonplus.EXT_PYDANTIC_V2, lambda p: ("os", "mkdir", {"path": p}, "x")),
}


def forged(code: int, call: Any) -> bytes:
    return ormsgpack.packb({"payee": ormsgpack.Ext(code, ormsgpack.packb(call))})


def within_delta(path: Path) -> bytes:
    inner = ormsgpack.Ext(
        jsonplus.EXT_CONSTRUCTOR_POS_ARGS, ormsgpack.packb(("os", "mkdir", (str(path),)))
    )
    return ormsgpack.packb(ormsgpack.Ext(jsonplus.EXT_DELTA_SNAPSHOT, ormsgpack.packb([inner])))


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def rows(path: Path) -> dict[str, tuple[str, bytes]]:
    """Return rows that somebody could have written, by what they would do."""
    lc = {"lc": 1, "type": "constructor", "id": ["os", "mkdir"], "kwargs": {"path": str(path)}}
    made = {what: ("msgpack", forged(c, call(str(path)))) for what, (c, call) in CALLS.items()}
    return made | {
        "in a delta": ("msgpack", within_delta(path)),
        "an lc object": ("json", json.dumps({"payee": lc}).encode()),
        "an lc object of 2": ("json", json.dumps({"payee": lc | {"lc": 2}}).encode()),
        "a pickle": ("pickle", pickle.dumps(Harm(path))),
        "cut off": ("msgpack", ormsgpack.packb({"payee": "a" * 99})[:-5]),
        "nothing": ("msgpack", b""),
        "no kind": ("made up", b"x"),
    }


@pytest.mark.parametrize("what", rows(Path()))
def test_a_forged_row_is_refused_and_nothing_of_it_is_run(tmp_path: Path, what: str) -> None:
    hit = tmp_path / "hit"

    with pytest.raises(SnapshotRefused, match="nothing was run"):
        StrictSerializer({("tests.nowhere", "Type")}).loads_typed(rows(hit)[what])

    assert not hit.exists()


def test_the_forged_calls_do_what_is_feared_of_them(tmp_path: Path) -> None:
    for number, what in enumerate(CALLS):
        hit = tmp_path / str(number)
        if what != "a method":  # its path is checked by LangGraph itself
            JsonPlusSerializer().loads_typed(rows(hit)[what])
            assert hit.exists(), what


def test_an_array_and_what_langgraph_calls_safe_are_read() -> None:
    serde = StrictSerializer(set())
    value = {"path": Path("a"), "lc": {"lc": 1, "type": "constructor", "id": ["os"]}}

    assert serde.loads_typed(serde.dumps_typed(value)) == value


PLACES = {
    "a snapshot": "UPDATE checkpoints SET type = ?, checkpoint = ?",
    "a write": "UPDATE writes SET type = ?, value = ?",
    "the input": "UPDATE hitl_run SET input_type = ?, input_blob = ?",
}


@pytest.mark.parametrize("where", PLACES)
def test_a_run_whose_rows_were_forged_needs_attention(tmp_path: Path, where: str) -> None:
    hit = tmp_path / "hit"
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        row = rows(hit)["arguments"]
        app.store.write(lambda t: t.connection.execute(PLACES[where], row) and None)

        app.advance(run.id)

        assert not hit.exists()
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "names os.mkdir, which this workflow does not allow" in run.reason
        assert app.store.read(lambda r: r.due_runs(now=app.clock())) == []


class Payee(BaseModel):
    """A type that the state's schema does not name."""

    name: str


def test_a_type_of_ones_own_is_allowed_by_name(tmp_path: Path) -> None:
    graph = line(Cheque, read=lambda _: {"payee": Payee(name="ACME")}, pay=lambda _: {})
    rules = policy(always("pay", place="before"))
    with opened(tmp_path, graph, rules, allow_types=[Payee]) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        app.advance(run.id)
        assert (run.status, run.value["payee"]) == (RunStatus.DONE, Payee(name="ACME"))
