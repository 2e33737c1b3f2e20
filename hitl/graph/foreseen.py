"""What can be foreseen of an entrypoint's tasks: those its code names, and the types they deal in.

A task that is reached in another way (from a list, as an attribute) is known once it is called; its
types must be allowed by hand.
"""

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, get_args, get_type_hints

from hitl.graph.called import task_step
from hitl.graph.lg import body_function, is_flow, task_function
from hitl.graph.seam import Graph, nodes
from hitl.policy import Step


def task_types(graph: Graph) -> list[type]:
    """Return the classes that the annotations of an entrypoint's tasks name."""
    found: set[type] = set()
    for _, function in _foreseen(graph):
        found.update(_named(function))
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def task_steps(graph: Graph) -> Iterator[Step]:
    """Yield the tasks that an entrypoint's code names, and those that these name."""
    seen: set[str] = set()
    for path, function in _foreseen(graph):
        if (step := task_step(path, function)).path not in seen:
            seen.add(step.path)
            yield step


def _foreseen(graph: Graph) -> Iterator[tuple[str, Callable[..., Any]]]:
    for node in nodes(graph):
        if is_flow(node.graph):
            yield from _tasks(node.path, body_function(node.graph.nodes[node.name]), set())


def _tasks(path: str, function: Any, seen: set[int]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the tasks a function's code names, and those that these name, each with its caller."""
    function = inspect.unwrap(function) if callable(function) else None
    code = getattr(function, "__code__", None)
    if function is None or code is None or id(code) in seen:
        return
    seen.add(id(code))
    for value in (*_closed_over(function), *_globals(function, code).values()):
        task = task_function(value)
        if task is not None:
            yield path, task
            yield from _tasks(task_step(path, task).path, task, seen)


def _closed_over(function: Any) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is not filled yet
            continue


def _globals(function: Any, code: CodeType) -> dict[str, Any]:
    """Return the globals a function names, and those that functions inside it name."""
    known = function.__globals__
    found = {name: known[name] for name in code.co_names if name in known}
    for inner in (c for c in code.co_consts if isinstance(c, CodeType)):
        found |= _globals(function, inner)
    return found


def _named(function: Callable[..., Any]) -> set[type]:
    try:
        hints = get_type_hints(function)
    except (TypeError, NameError):
        return set()
    return {kind for hint in hints.values() for kind in _classes(hint)}


def _classes(hint: Any) -> Iterator[type]:
    for part in get_args(hint):
        yield from _classes(part)
    if isinstance(hint, type) and hint.__module__ != "builtins" and not get_args(hint):
        yield hint
