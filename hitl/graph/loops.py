"""Driving asynchronous work to its end from a thread that has no event loop, or whose loop is busy."""

import asyncio
from collections.abc import Coroutine
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
