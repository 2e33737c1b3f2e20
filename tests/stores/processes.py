"""Other processes: real ones, that can be killed, started from a clean one that has hitl loaded."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerContext, ForkServerProcess

from hitl.errors import HitlError
from hitl.ports import Transaction
from hitl.stores import open_store, upgrade
from tests.stores.records import make_proposal, make_run


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hitl.stores", "hitl.stores.migrate"])
    return context


def start(work: Callable[..., None], *args: object) -> tuple[ForkServerProcess, int]:
    """Run `work(pipe, *args)` in a process; return it and the end to read what it tells."""
    context = _context()
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, theirs, *args), daemon=True)
    process.start()
    theirs.close()
    return process, os.dup(mine.fileno())


def told(process: ForkServerProcess, pipe: int) -> list[str]:
    """Return the lines the process told until it ended."""
    text = b""
    while part := os.read(pipe, 65536):
        text += part
    os.close(pipe)
    process.join(30)
    return text.decode().splitlines()


def next_line(pipe: int) -> str:
    """Return the next line the process tells."""
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(pipe, 1) or b"(it ended)\n"
    return text.decode().strip()


def kill(process: ForkServerProcess) -> None:
    """End the process as a power cut would."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)


# -- what the other processes do ----------------------------------------------------------------


def hold(pipe: int, url: str) -> None:
    """Open the store and keep it."""
    with_store = open_store(url)
    with_store.announce("http://127.0.0.1:8700", "the token")
    _tell(pipe, "open")
    time.sleep(600)


def try_to_open(pipe: int, url: str) -> None:
    """Tell whether the store can be opened."""
    try:
        open_store(url).close()
    except HitlError as problem:
        _tell(pipe, f"{type(problem).__name__}: {problem}")
    else:
        _tell(pipe, "open")


def upgrade_at(pipe: int, url: str, instant: float) -> None:
    """Upgrade at the given instant, so that several do it at once."""
    time.sleep(max(0.0, instant - time.time()))
    upgrade(url)
    _tell(pipe, "upgraded")


def write_and_acknowledge(pipe: int, url: str, first: int) -> None:
    """Write runs from four threads until killed; tell the id of each once `write` returned."""
    store = open_store(url)

    def client(number: int) -> None:
        while True:
            run_id = f"run_{number:06}"
            store.write(partial(_add_whole_run, run_id=run_id))
            _tell(pipe, run_id)
            number += 4

    for offset in range(4):
        threading.Thread(target=client, args=(first + offset,)).start()
    time.sleep(600)


def _add_whole_run(t: Transaction, run_id: str) -> None:
    t.add_run(make_run(run_id), None)
    t.append_audit(run_id, {"action": "run.started", "subject": run_id})
    t.add_proposal(make_proposal(run_id, blob=run_id.encode() * 50))


def _tell(pipe: int, line: str) -> None:
    os.write(pipe, f"{line}\n".encode())


def _run(
    work: Callable[..., None], end: "multiprocessing.connection.Connection", *args: object
) -> None:
    work(end.fileno(), *args)
