import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from alembic.script import ScriptDirectory
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver
from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.dml import UpdateBase

from hitl.errors import NewerDatabase, StoreError, StoreUnavailable
from hitl.models import ReviewStatus, RunStatus
from hitl.ports import Reader, Transaction
from hitl.stores import (
    SqliteStore,
    migrate,
    open_reader,
    open_store,
    sqlite_open,
    statements,
    upgrade,
)
from hitl.stores.line import Rendered, Statement
from hitl.stores.rows import REVISION, Row
from tests.stores.acts import add_reviews, add_runs, put_gates
from tests.stores.processes import start, told, upgrade_at
from tests.stores.records import NOON, PAY, make_gate, make_proposal, make_review, make_run


def _tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as raw:
        found = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in found if not name.startswith("sqlite_")}


def _refuse_drift(url: str) -> None:
    line = sqlite_open.open_writer(sqlite_open.locate(url))
    try:
        migrate.drift(line.sql)
    finally:
        line.close()


def test_a_fresh_database_has_the_tables_of_the_rows(url: str, tmp_path: Path) -> None:
    upgrade(url)

    assert _tables(tmp_path / "hitl.db") == {*Row.metadata.tables, "hitl_version"}
    _refuse_drift(url)


def test_the_newest_migration_is_the_one_the_rows_are_for() -> None:
    folder = Path(migrate.__file__).parent / "migrations"

    assert ScriptDirectory(str(folder)).get_current_head() == REVISION
    assert REVISION in migrate.known_revisions()


def test_a_database_from_before_is_upgraded_and_kept(url: str, tmp_path: Path) -> None:
    with closing(open_store(url)) as store:
        add_runs(store, make_run())
        put_gates(store, make_gate())
    new = ("ix_hitl_gate_newest", "ix_hitl_proposal_open", "ix_hitl_review_run")
    with closing(sqlite3.connect(tmp_path / "hitl.db")) as raw:
        for index in new:
            raw.execute(f"DROP INDEX {index}")
        raw.execute("DROP TABLE hitl_user_key")
        raw.execute("UPDATE hitl_version SET version_num = '0002'")
        raw.commit()

    with closing(open_store(url)) as store:
        assert store.read(lambda r: [*r.newest_gates("run_1")]) == [make_gate()]

    _refuse_drift(url)


def test_a_second_database_of_a_process_is_made_like_the_first(tmp_path: Path) -> None:
    dumps = []
    for name in ("one", "two"):
        file = tmp_path / f"{name}.db"
        upgrade(f"sqlite:///{file}")
        _refuse_drift(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as raw:
            dumps.append([*raw.iterdump()])
    with closing(sqlite3.connect(tmp_path / "three.db")) as raw:
        raw.execute("CREATE TABLE my_own (id INTEGER)")  # not empty: by the migrations themselves
        raw.commit()
    upgrade(f"sqlite:///{tmp_path / 'three.db'}")
    with closing(sqlite3.connect(tmp_path / "three.db")) as raw:
        raw.execute("DROP TABLE my_own")
        dumps.append([*raw.iterdump()])

    assert dumps[0] == dumps[1] == dumps[2]


def test_upgrading_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    upgrade(url)
    before = (tmp_path / "hitl.db").read_bytes()

    upgrade(url)
    open_store(url).close()

    assert (tmp_path / "hitl.db").read_bytes() == before


def test_four_processes_upgrade_at_once(url: str) -> None:
    instant = time.time() + 1.0
    processes = [start(upgrade_at, url, instant) for _ in range(4)]

    assert [told(*process) for process in processes] == [["upgraded"]] * 4
    assert [process.exitcode for process, _ in processes] == [0] * 4
    _refuse_drift(url)


def test_threads_of_langgraph_in_the_same_file_are_kept(url: str, tmp_path: Path) -> None:
    file = tmp_path / "hitl.db"
    config: RunnableConfig = {"configurable": {"thread_id": "t1", "checkpoint_ns": ""}}
    snapshot = empty_checkpoint()
    snapshot["channel_values"] = {"cheque": 1200}
    with closing(sqlite3.connect(file)) as raw:
        saver = SqliteSaver(raw)
        put = saver.put(config, snapshot, {"source": "input", "step": -1}, {})
        saver.put_writes(put, [("cheque", 1200)], "task_1")
        raw.execute("CREATE TABLE my_own (id INTEGER)")
        raw.commit()

    with closing(open_store(url)) as store:
        add_runs(store, make_run())
        assert store.read(
            lambda r: r.connection.execute("SELECT thread_id FROM checkpoints").fetchall()
        ) == [("t1",)]

    with closing(sqlite3.connect(file)) as raw:
        found = SqliteSaver(raw).get_tuple(config)
    assert found is not None
    assert found.checkpoint["channel_values"] == {"cheque": 1200}
    assert found.pending_writes == [("task_1", "cheque", 1200)]
    assert {"my_own", "checkpoints", "writes"} < _tables(file)
    _refuse_drift(url)


def test_a_newer_database_is_refused_and_left_as_it_is(url: str, tmp_path: Path) -> None:
    upgrade(url)
    with closing(sqlite3.connect(tmp_path / "hitl.db")) as raw:
        raw.execute("UPDATE hitl_version SET version_num = '9999'")
        raw.commit()
    before = (tmp_path / "hitl.db").read_bytes()

    for act in (open_store, open_reader, upgrade):
        with pytest.raises(NewerDatabase, match="is at schema '9999', which this version"):
            act(url)

    assert (tmp_path / "hitl.db").read_bytes() == before


def test_a_database_without_tables_is_not_read_only_opened(url: str, tmp_path: Path) -> None:
    (tmp_path / "hitl.db").touch()

    with pytest.raises(StoreUnavailable, match="run `hitl db upgrade`"):
        open_reader(url)


def test_a_migration_that_fails_midway_leaves_nothing(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hitl.db")) as raw:
        raw.execute("CREATE TABLE hitl_setting (mine TEXT)")  # the last table of the baseline

    with pytest.raises(StoreUnavailable, match="hitl_setting already exists"):
        open_store(url)

    assert _tables(tmp_path / "hitl.db") == {"hitl_setting"}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hitl_audit SET hash = 'forged'",
        "DELETE FROM hitl_audit",
        "INSERT OR REPLACE INTO hitl_audit VALUES (1, 'run_2', 1, '', 'forged', '{}')",
        "INSERT OR REPLACE INTO hitl_audit (run_id, chain_seq, prev, hash, body)"
        " VALUES ('run_1', 1, '', 'forged', '{}')",
    ],
)
def test_the_trail_cannot_be_changed_even_in_sql(url: str, tmp_path: Path, change: str) -> None:
    with closing(open_store(url)) as store:
        event = store.write(lambda t: t.append_audit("run_1", {"action": "x"}))
        with pytest.raises(StoreError, match="append-only"):
            store.write(lambda t: t.connection.execute(change))
        with (
            closing(sqlite3.connect(tmp_path / "hitl.db")) as other,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            other.execute(change)

        assert store.read(lambda r: r.audit()) == [event]


@pytest.fixture
def filled(url: str) -> Iterator[SqliteStore]:
    store = SqliteStore(url)
    add_runs(store, make_run())
    add_reviews(store, make_review())
    put_gates(store, make_gate())
    store.write(lambda t: t.add_proposal(make_proposal()))
    yield store
    store.close()


def test_the_reads_of_every_day_use_an_index(filled: SqliteStore) -> None:
    ran: list[str] = []

    def read(r: Reader) -> None:
        r.connection.set_trace_callback(ran.append)
        key = make_proposal().key
        (r.run("run_1"), r.epoch("run_1"), r.runs(), r.runs(status=[RunStatus.WAITING]))
        (r.review("rev_1"), r.decision("rev_1"), r.decision_by_id("d"), r.intent("rev_1"))
        r.reviews(status=[ReviewStatus.PENDING], after="rev_1")
        (r.reviews(run_id="run_1"), r.denials("run_1", PAY), r.denials_that_undid("run_1", PAY))
        (r.proposal(key), r.proposal_of("rev_1"), r.open_proposals("run_1"))
        (
            r.last_visit("run_1", "pay", "before", shards=range(9)),
            r.gate("gate_1"),
            r.gates("run_1"),
            next(r.newest_gates("run_1")),
        )
        (r.label_counts("payments", "pay"), r.denied_effects("run_1"), r.audit(after=9))
        (r.mail("run_1", now=NOON), r.due_runs(now=NOON), r.next_due(), r.due_timers(now=NOON))
        (r.policy("p"), r.outcomes("run_1"), r.setting("s"))
        r.connection.set_trace_callback(None)

    filled.read(read)
    plans = filled.read(
        lambda r: {
            sql: " / ".join(step[3] for step in r.connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
            for sql in ran
        }
    )

    assert len(plans) >= 29
    whole_table = {
        sql: plan for sql, plan in plans.items() if "SCAN" in plan and "INDEX" not in plan
    }
    assert whole_table == {}
    hot = next(plan for sql, plan in plans.items() if "LIMIT 1" in sql and "hitl_gate.visit" in sql)
    assert hot.startswith("SEARCH hitl_gate USING INDEX ix_hitl_gate_visit")
    assert "TEMP B-TREE" not in hot
    looking_back = [plan for sql, plan in plans.items() if "hitl_gate.seq <" in sql]
    assert looking_back == ["SEARCH hitl_gate USING INDEX ix_hitl_gate_newest (run_id=? AND seq<?)"]
    withheld = next(plan for sql, plan in plans.items() if "settled IS 0" in sql)
    assert "ix_hitl_proposal_open" in withheld
    queue = next(plan for sql, plan in plans.items() if "'pending'" in sql)
    assert "ix_hitl_review_queue" in queue
    assert "TEMP B-TREE" not in queue


def test_a_decision_needs_its_review_in_sql_too(filled: SqliteStore) -> None:
    def orphan(t: Transaction) -> None:
        t.connection.execute(
            "INSERT INTO hitl_intent (review_id, commit_at, record) VALUES ('rev_9', ?, '{}')",
            (str(NOON + timedelta(days=1)),),
        )

    with pytest.raises(StoreError, match="FOREIGN KEY"):
        filled.write(orphan)


def test_every_statement_and_table_also_renders_for_postgres() -> None:
    dialect = cast("type[Dialect]", PGDialect)()
    rendered = Rendered(dialect, insert=postgresql.insert)
    known: list[Statement] = [
        value for value in vars(statements).values() if isinstance(value, Select | UpdateBase)
    ]
    known += [
        statements.add_proposal,
        statements.put_gate,
        statements.deny_effect,
        statements.put_mail,
        statements.save_policy,
        statements.set_setting,
    ]
    sql = [rendered.of(statement).sql for statement in known]

    assert len(sql) > 40
    assert sum("ON CONFLICT" in text for text in sql) == 6
    for table in Row.metadata.tables.values():
        assert "CREATE TABLE hitl_" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(index.name) in str(CreateIndex(index).compile(dialect=dialect))
