import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hitl.errors import StoreError, StoreInUse, StoreUnavailable
from hitl.ports import Reader
from hitl.stores import Holder, holder, open_reader, open_store, upgrade, wal_reset_affected
from tests.stores.acts import add_runs
from tests.stores.processes import hold, kill, next_line, start, told, try_to_open
from tests.stores.records import make_run


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("hitl.db", "this is not a store URL; known are 'sqlite:///hitl.db'"),
        ("mysql://ana:secret@db/hitl", "the scheme 'mysql' is not known; known are"),
        ("sqlite://hitl.db", "a SQLite URL has three slashes and no options"),
        ("sqlite:///hitl.db?mode=ro", "a SQLite URL has three slashes and no options"),
    ],
)
def test_what_is_no_store_url_is_said_in_a_sentence(url: str, sentence: str) -> None:
    for act in (open_store, open_reader, upgrade, holder):
        with pytest.raises(StoreUnavailable, match=re.escape(sentence)) as told_by:
            act(url)
        assert "secret" not in str(told_by.value)


def test_a_place_that_cannot_hold_a_store_is_said_in_a_sentence(tmp_path: Path) -> None:
    places = {
        f"sqlite:///{tmp_path}/none/hitl.db": f"the folder '{tmp_path}/none' does not exist",
        f"sqlite:///{tmp_path}": "this is a folder; name a file in it",
    }
    for url, sentence in places.items():
        for act in (open_store, upgrade):
            with pytest.raises(StoreUnavailable, match=re.escape(sentence)):
                act(url)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"name,amount\nAlba,1200\n", b"SQLite format 3\x00" + b"x" * 5000]
)
def test_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cheques.csv"
    file.write_bytes(content)

    with pytest.raises(StoreUnavailable, match=r"not a (SQLite )?database"):
        open_store(f"sqlite:///{file}")

    assert file.read_bytes() == content


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "hitl.db").touch()

    with closing(open_store(f"sqlite:///{tmp_path / 'hitl.db'}")) as store:
        add_runs(store, make_run())


def test_odd_file_names_work(tmp_path: Path) -> None:
    for name in ("100% sure?.db", "a#b.db", "Zoë & co.db"):
        url = f"sqlite:///{tmp_path}/{name.replace('%', '%25').replace('?', '%3F')}"
        with closing(open_store(url)) as store:
            add_runs(store, make_run())
            assert len(store.read(lambda r: r.runs())) == 1


def test_the_writer_is_safe_and_the_readers_only_read(url: str) -> None:
    def settings(r: Reader) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete")
        more = ("busy_timeout", "query_only")
        return {n: r.connection.execute(f"PRAGMA {n}").fetchone()[0] for n in names + more}

    with closing(open_store(url)) as store:
        assert store.write(settings) == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "trusted_schema": 0,
            "secure_delete": 1,
            "busy_timeout": 10_000,
            "query_only": 0,
        }
        readers = store.read(settings)
        assert (readers["query_only"], readers["trusted_schema"]) == (1, 0)
        with pytest.raises(StoreError, match="may only be read"):
            store.read(lambda r: r.connection.execute("DELETE FROM hitl_run"))


def test_only_the_writers_thread_can_use_its_connection(url: str) -> None:
    with closing(open_store(url)) as store:
        connection = store.write(lambda t: t.connection)

        with pytest.raises(sqlite3.ProgrammingError, match="thread"):
            connection.execute("SELECT 1")


def test_many_readers_at_once(url: str) -> None:
    with closing(open_store(url)) as store:
        add_runs(store, make_run())
        together = threading.Barrier(20)

        def read(r: Reader) -> int:
            together.wait(20)  # all twenty reads are under way
            return len(r.runs())

        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(store.read(read))) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [1] * 20


def test_a_closed_store_leaves_one_file_and_no_secrets(url: str, tmp_path: Path) -> None:
    store = open_store(url)
    store.announce("http://127.0.0.1:8700", "the token")
    add_runs(store, make_run())
    store.read(lambda r: r.runs())

    store.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["hitl.db", "hitl.db.lock"]
    assert (tmp_path / "hitl.db.lock").read_text().strip() == ""


# -- one writing process ------------------------------------------------------------------------


def test_the_holder_is_told_to_this_user_only(url: str, tmp_path: Path) -> None:
    assert holder(url) is None
    store = open_store(url)
    assert holder(url) == Holder(pid=os.getpid())

    store.announce("http://127.0.0.1:8700", "the token")
    told_holder = Holder(pid=os.getpid(), url="http://127.0.0.1:8700", token="the token")
    assert holder(url) == told_holder
    assert stat.S_IMODE((tmp_path / "hitl.db.lock").stat().st_mode) == 0o600

    store.close()
    assert holder(url) is None
    assert holder("sqlite://") is None


def test_a_second_process_is_refused_until_the_first_is_killed(url: str) -> None:
    first, pipe = start(hold, url)
    assert next_line(pipe) == "open"

    (refused,) = told(*start(try_to_open, url))
    assert refused.startswith("StoreInUse")
    assert f"is being written by process {first.pid};" in refused
    with pytest.raises(StoreInUse) as here:
        open_store(url)
    assert here.value.holder == f"process {first.pid}"
    expected = Holder(pid=first.pid or 0, url="http://127.0.0.1:8700", token="the token")
    assert holder(url) == expected

    kill(first)
    os.close(pipe)
    assert holder(url) is None
    assert told(*start(try_to_open, url)) == ["open"]


def test_a_holder_whose_name_cannot_be_read_is_still_a_holder(url: str, tmp_path: Path) -> None:
    with closing(open_store(url)):
        (tmp_path / "hitl.db.lock").write_text("")

        assert holder(url) == Holder(pid=0)
        with pytest.raises(StoreInUse, match="by another process;"):
            open_store(url)


def test_one_file_has_one_lock_whatever_it_is_called(url: str, tmp_path: Path) -> None:
    with closing(open_store(url)):
        (tmp_path / "alias.db").symlink_to(tmp_path / "hitl.db")

        with pytest.raises(StoreInUse):
            open_store(f"sqlite:///{tmp_path / 'alias.db'}")


def test_looking_who_holds_it_does_not_take_it(url: str) -> None:
    open_store(url).close()

    for _ in range(20):
        assert holder(url) is None
        open_store(url).close()


def test_another_process_reads_while_one_writes(url: str) -> None:
    with closing(open_store(url)) as store:
        add_runs(store, make_run())
        reader = open_reader(url)
        assert len(reader.read(lambda r: r.runs())) == 1
        add_runs(store, make_run("run_2"))
        assert len(reader.read(lambda r: r.runs())) == 2
        reader.close()
        reader.close()
        with pytest.raises(StoreError, match="is closed"):
            reader.read(lambda r: r.runs())


def test_a_store_nobody_writes_can_be_read(url: str) -> None:
    with closing(open_store(url)) as store:
        add_runs(store, make_run())

    with closing(open_reader(url)) as reader:
        assert reader.read(lambda r: r.run("run_1")) == make_run()


def test_there_must_be_something_to_read(url: str) -> None:
    for nothing in (url, "sqlite://"):
        with pytest.raises(StoreUnavailable, match="no such file to read"):
            open_reader(nothing)


def test_a_forked_child_is_refused_instead_of_hanging(url: str) -> None:
    script = f"""
import os
from hitl.stores import open_store
store = open_store({url!r})
child = os.fork()
if child == 0:
    for act in (store.read, store.write):
        try:
            act(lambda r: r.runs())
        except Exception as problem:
            print(problem, flush=True)
    store.close()
    os._exit(0)
os.waitpid(child, 0)
print(len(store.read(lambda r: r.runs())))
store.close()
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)

    said = f"The store {url!r} was opened before this process was forked; open it here."
    assert ran.stdout.splitlines() == [said, said, "0"], ran.stderr


def test_a_process_that_forgets_to_close_loses_nothing_it_submitted(url: str) -> None:
    script = f"""
from hitl.stores import open_store
from tests.stores.records import make_run
store = open_store({url!r})
for number in range(500):
    store.submit(lambda t, n=number: t.add_run(make_run(f"run_{{n}}"), None))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    with closing(open_reader(url)) as reader:
        assert sum(reader.read(lambda r: r.count_runs()).values()) == 500


def test_a_bare_store_imports_neither_the_web_nor_the_laboratory() -> None:
    script = "import sys, hitl.stores; print(sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    for heavy in ("numpy", "fastapi", "starlette", "langgraph", "alembic"):
        assert f"'{heavy}'" not in ran.stdout


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ("3.6.23", False),
        ("3.7.0", True),
        ("3.40.1", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.44.7", False),
        ("3.45.0", True),
        ("3.50.6", True),
        ("3.50.7", False),
        ("3.51.0", True),
        ("3.51.2", True),
        ("3.51.3", False),
        ("3.54.1", False),
        ("4.0.0", False),
    ],
)
def test_versions_with_the_wal_reset_bug(version: str, affected: bool) -> None:
    assert wal_reset_affected(version) is affected
