"""Imported once by the process that forks the children: what a run needs is loaded by running one."""

import tempfile
import threading
from pathlib import Path

from tests.runtime.stage import always, approve, go_on, line, only, opened, policy

graph = line(read=lambda _: {"amount": 1})
with (
    tempfile.TemporaryDirectory() as folder,
    opened(Path(folder), graph, policy(always("read"))) as app,
):
    run = app.start({"amount": 0})
    approve(app, only(run))
    go_on(run)

assert threading.active_count() == 1, "a process with threads must not be forked"
