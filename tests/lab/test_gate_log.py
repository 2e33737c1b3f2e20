"""The gate log as data: what is read from a store and from files, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hitl.cli.opened import ReadOnlyStore
from hitl.demo.rules import READ
from hitl.errors import ConfigurationError, EvidenceRefusal, UnusableColumn
from hitl.lab.log import GateLog, checked, read_file, record_of, unanswered, write_file
from hitl.lab.log.files import engine
from hitl.stores import open_reader
from tests.lab.desk import DeskLog
from tests.lab.logs import record, synthetic


def test_the_desks_log_has_a_row_for_every_gate_and_labels_where_somebody_looked(
    desk: DeskLog,
) -> None:
    log = desk.log

    assert checked(log) == ()
    assert int((log.text("step") == READ).sum()) == 15 * 6
    looked = log.flag("asked") | log.flag("spot_check")
    assert (looked == ~np.isnan(log.number("wrong"))).all()
    assert 0 < looked.sum() < len(log)
    assert set(log.values("reviewer")) == {"", "ana", "the simulated reviewer"}
    assert set(log.values("run_status")) <= {"done", "stopped"}


def test_in_shadow_mode_nobody_was_asked(desk: DeskLog) -> None:
    store = ReadOnlyStore(open_reader(desk.url))
    try:
        gate = next(g for g in store.read(lambda r: r.gates("cheque-0-0001")) if g.action == "act")
    finally:
        store.close()

    shadowed = gate.model_copy(update={"action": "ask", "shadow": True})

    assert record_of(gate.model_copy(update={"action": "ask"}), None)["asked"] is True
    assert record_of(shadowed, None)["asked"] is False


def test_the_desks_labels_are_the_truth(desk: DeskLog) -> None:
    log = desk.log
    told = dict(zip(log.text("id").tolist(), log.number("wrong").tolist(), strict=True))

    checked_rows = [row for row in desk.truth if not np.isnan(told[row])]

    assert len(checked_rows) > 20
    assert [row for row in checked_rows if told[row] != desk.truth[row]] == []


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_says_what_the_store_said(desk: DeskLog, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log.{ending}"

    write_file(desk.log, path)

    assert read_file(path).records() == desk.log.records()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_folder_is_its_files_joined(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    first, _ = synthetic(rng, 5)
    write_file(first, tmp_path / "a.jsonl")
    write_file(GateLog.of([record(99)]), tmp_path / "b.parquet")

    found = read_file(tmp_path)

    assert len(found) == 6
    assert found.text("id")[-1] == "gate-99"
    assert found.text("run_key")[-1] == "run-99"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"p": 1.2}, "row 1, step 'read': 1.2: a confidence must lie in [0, 1]"),
    ({"propensity_label": None}, "it is missing; log P(label) for every row"),
    ({"propensity_label": 1.5}, "a probability must lie in [0, 1]"),
    ({"wrong": 0.5}, "it must be 0, 1 or null"),
    ({"wrong": 1}, "nobody was asked and it was no spot check"),
    (
        {"wrong": 1, "spot_check": True, "propensity_label": 0.0},
        "it is 0, and yet there is a label",
    ),
    ({"asked": True, "propensity_label": 0.4}, "labelled for certain, so it must be 1"),
    (
        {"asked": True, "propensity_label": 1.0, "wrong": 0, "verdict": "expired"},
        "its review expired; that is a missing label",
    ),
    ({"id": "gate-0"}, "stands in the log twice"),
]


@pytest.mark.parametrize(("changes", "sentence"), BAD, ids=[s for _, s in BAD])
def test_a_row_that_cannot_be_is_refused_with_its_place(
    changes: dict[str, Any], sentence: str
) -> None:
    log = GateLog.of([record(0), record(1, **changes)])

    with pytest.raises(UnusableColumn) as refused:
        checked(log)

    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", ["propensity_label", "p", "wrong", "run_id"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_file_without_a_needed_column_is_refused(tmp_path: Path, name: str, ending: str) -> None:
    row = {key: value for key, value in record(0).items() if key != name}
    lines = tmp_path / "log.jsonl"
    lines.write_text(json.dumps(row))
    path = tmp_path / f"log.{ending}"
    if ending == "parquet":
        with engine().connect() as connection:
            connection.read_json(str(lines)).write_parquet(str(path))

    with pytest.raises(UnusableColumn, match=f"'{name}' is missing"):
        read_file(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"id": 1}', "is missing"),
        ("no json", "Line 1 of 'log.jsonl' is no JSON"),
        ("[1]", "Line 1 of 'log.jsonl' is no JSON object"),
        (json.dumps(record(0, step=7)), "row 0: 7 is no text"),
        (json.dumps(record(0, p="high")), "row 0: 'high' is no number"),
        (json.dumps(record(0, asked="yes")), "row 0: 'yes' is neither true nor false"),
    ],
)
def test_lines_that_are_no_log_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(content)

    with pytest.raises((ConfigurationError, UnusableColumn)) as refused:
        read_file(path)

    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "log.csv"])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "log.csv").write_text("id,p")

    with pytest.raises(ConfigurationError, match="gate log"):
        read_file(tmp_path / name)


def test_an_empty_log_and_an_empty_slice_are_refused() -> None:
    with pytest.raises(EvidenceRefusal, match="The log holds no gate row"):
        checked(GateLog.of([]))
    with pytest.raises(EvidenceRefusal, match=r"step 'pay': the slice is empty. There is 'read'"):
        GateLog.of([record(0)]).only("step", "pay")


def test_what_is_doubtful_is_said() -> None:
    asked = {"asked": True, "propensity_label": 1.0}
    rows = [record(n, p=n / 60, wrong=float(n >= 30), **asked) for n in range(60)]
    pending = record(60, spot_check=True, policy_hash="other", verdict="pending")

    log = GateLog.of([*rows, pending])

    mixed, waiting, inverted = checked(log)
    assert "mixes 2 policies" in mixed
    assert "1 reviews have no answer" in waiting
    assert "read: Confidence is inverted" in inverted
    assert unanswered(log).tolist() == [False] * 60 + [True]
    equal = GateLog.of(record(n, wrong=float(n % 2), **asked) for n in range(40))
    assert checked(equal) == ("read: All confidences are 0.9: they rank nothing.",)
