"""Functions in a policy are data too: they are named `"module:function"`.

The name is what a policy's content hash covers; the function's body is not.
"""

import inspect
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from hitl.errors import ConfigurationError

Function = Callable[..., Any] | str


def reference(function: Function) -> str:
    """Return `"module:function"`; local functions carry their line: `"module:f.<lambda>@12"`."""
    if isinstance(function, str):
        return function
    module = str(getattr(function, "__module__", ""))
    name = str(getattr(function, "__qualname__", type(function).__qualname__))
    if _look_up(sys.modules.get(module), name) is function:
        return f"{module}:{name}"
    code = getattr(function, "__code__", None)
    return f"{module}:{name}@{getattr(code, 'co_firstlineno', 0)}"


def is_importable(named: str) -> bool:
    """Return whether another process can find a function by this reference."""
    return "@" not in named


def resolve(function: Function) -> Callable[..., Any]:
    """Return the function itself, importing its module when only its name is given.

    Raises:
        ConfigurationError: No function can be found by this name; the sentence says why.
    """
    return _resolve(function) if isinstance(function, str) else function


@lru_cache(maxsize=256)
def _resolve(named: str) -> Callable[..., Any]:
    module, _, name = named.partition(":")
    if not (module and name and is_importable(named)):
        raise ConfigurationError(f"{named!r} does not name a function; write 'module:function'.")
    try:
        found = _look_up(import_module(module), name)
    except Exception as problem:
        raise ConfigurationError(
            f"{named!r} cannot be imported: {type(problem).__name__}: {problem}"
        ) from problem
    problem_with = "has no function" if found is None else _unfit(found)
    if problem_with:
        raise ConfigurationError(f"{named!r}: {module!r} {problem_with} {name!r}.")
    return found  # type: ignore[no-any-return] # checked by _unfit


def _unfit(function: object) -> str:
    if not callable(function):
        return "has something that is not a function under"
    return "has only the coroutine function" if inspect.iscoroutinefunction(function) else ""


def _look_up(module: object, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
