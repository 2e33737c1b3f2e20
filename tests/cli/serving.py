"""`hitl serve` in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
_SCRIPT = "from hitl.cli import main; main()"
PATIENCE = 60.0
"""Seconds a loaded machine may take to start or end a process."""


@dataclass
class Serving:
    """A serving process, once it has told where it is."""

    process: subprocess.Popen[str]
    url: str
    """Of the pages, token included."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def end(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and return the exit code and what was printed to standard error."""
        self.process.send_signal(by)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err


@contextlib.contextmanager
def serving(
    *words: str,
    command: str = "serve",
    cwd: Path = ROOT,
    python: str = sys.executable,
    source: Path | None = ROOT,
) -> Iterator[Serving]:
    """Start `hitl serve`, or another serving command, on a free port, and end it at the end.

    `source` is where `hitl` is imported from; None for what `python` has installed.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if source is not None:
        environment["PYTHONPATH"] = str(source)
    process = subprocess.Popen(
        [python, "-c", _SCRIPT, command, "--port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told.startswith("The queue is at "):
            process.kill()
            raise AssertionError(f"{told}{process.communicate()}")
        yield Serving(process, told.removeprefix("The queue is at ").strip())
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
