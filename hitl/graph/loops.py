"""Where work runs when the caller has no event loop for it, and what ends when Python does."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own, and return its result.

    In a thread whose own loop is running it runs in another thread, and this one waits.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="hitl-loop") as threads:
        return threads.submit(asyncio.run, work).result()


_ends: list[Callable[[], Callable[[], None] | None]] = []


def before_python_ends(end: Callable[[], None]) -> None:
    """Have a bound method called when the interpreter goes down, while threads can still be started.

    `atexit` comes too late: by then executors refuse work, and a run that is being advanced in
    another thread would fail for it. The method's object is not kept alive.
    """
    if not _ends:
        # Private, but there is no public moment before executors close; it is how they learn of it.
        threading._register_atexit(_end_all)  # type: ignore[attr-defined] # not in the stubs
    _ends[:] = [each for each in _ends if each() is not None]
    _ends.append(weakref.WeakMethod(end))


def _end_all() -> None:
    for found in reversed(_ends):
        if (end := found()) is not None:
            end()
