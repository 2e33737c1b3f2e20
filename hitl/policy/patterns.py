"""What a checkpoint's `step` may say besides one path: globs, tags, and tools inside a tool node.

    "*/send_*"          steps whose path matches; `*` stands for any characters, `/` included
    "tag:effect"        steps with a tag that matches
    "tool:send_*"       tool calls by name, inside any tool node
    "tool:tag:effect"   tool calls by a tag of the tool

A task of an `@entrypoint` is a step too, known once it is called; its name alone stands for its path.

A pattern is matched against a step as the graph declares it, never against what an agent writes.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

_GLOB = "*?["
_TAG = "tag:"
_TOOL = "tool:"

EFFECT = "effect"
"""The tag, or the key that is True in the metadata, of steps and tools that act on the world."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool of a tool node, as patterns see it."""

    name: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a workflow, as patterns see it."""

    path: str
    tags: frozenset[str] = frozenset()
    tools: tuple[Tool, ...] = ()
    """The tools it may call, when it is a tool node."""
    calls_tasks: bool = False
    """Whether it is an `@entrypoint`, whose tasks are known only when it calls them."""
    is_task: bool = False
    """Whether it is such a task."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: its path, and the name alone of a task."""
        return (self.path, self.path.rpartition("/")[2]) if self.is_task else (self.path,)


def as_steps(steps: Iterable[str | Step]) -> tuple[Step, ...]:
    """Return paths as steps without tags and tools; steps as they are."""
    return tuple(step if isinstance(step, Step) else Step(step) for step in steps)


def is_pattern(text: str) -> bool:
    """Return whether `text` is a glob, a tag or a tool, not the path of one step."""
    return text.startswith((_TAG, _TOOL)) or any(sign in text for sign in _GLOB)


def is_of_tools(text: str) -> bool:
    """Return whether `text` stands for tool calls, not for steps."""
    return text.startswith(_TOOL)


def is_unfinished(text: str) -> bool:
    """Return whether `text` says tag or tool, but not which."""
    return text.strip() in (_TAG, _TOOL, _TOOL + _TAG)


def matches_step(pattern: str, step: Step) -> bool:
    """Return whether a checkpoint with this pattern stands at `step`."""
    if is_of_tools(pattern):
        return any(matches_tool(pattern, tool) for tool in step.tools)
    if pattern.startswith(_TAG):
        return _any_like(step.tags, pattern.removeprefix(_TAG))
    return any(fnmatchcase(name, pattern) for name in step.names)


def matches_tool(pattern: str, tool: Tool) -> bool:
    """Return whether `pattern`, which stands for tool calls, stands for calls of `tool`."""
    wanted = pattern.removeprefix(_TOOL)
    if wanted.startswith(_TAG):
        return _any_like(tool.tags, wanted.removeprefix(_TAG))
    return fnmatchcase(tool.name, wanted)


def matches_call(pattern: str, name: str, step: Step) -> bool:
    """Return whether a pattern of tools stands for a call of the tool `name` at `step`.

    A tool that the step does not declare has unknown tags: it matches every tag.
    """
    known = [tool for tool in step.tools if tool.name == name]
    if known:
        return any(matches_tool(pattern, tool) for tool in known)
    return pattern.startswith(_TOOL + _TAG) or matches_tool(pattern, Tool(name))


def _any_like(tags: Collection[str], glob: str) -> bool:
    return any(fnmatchcase(tag, glob) for tag in tags)


def unmatched(pattern: str, steps: Collection[Step]) -> str:
    """Return why a pattern that matches nothing is refused, with the nearest names."""
    what, names = _candidates(pattern, steps)
    sought = pattern.rpartition(":")[2].translate({ord(sign): None for sign in _GLOB})
    near = get_close_matches(sought, names, n=3, cutoff=0.4)
    there = ", ".join(map(repr, names)) if names else "none"
    hint = f" Nearest: {', '.join(map(repr, near))}." if near else ""
    return (
        f"Checkpoint {pattern!r} matches no {what}; the graph's {what}s are: {there}.{hint}"
        " Change the pattern, or leave the checkpoint out."
    )


def _candidates(pattern: str, steps: Collection[Step]) -> tuple[str, list[str]]:
    found: Iterator[str]
    if pattern.startswith(_TOOL + _TAG):
        what, found = "tool tag", (tag for s in steps for tool in s.tools for tag in tool.tags)
    elif is_of_tools(pattern):
        what, found = "tool", (tool.name for s in steps for tool in s.tools)
    elif pattern.startswith(_TAG):
        what, found = "step tag", (tag for s in steps for tag in s.tags)
    else:
        what, found = "step", (s.path for s in steps)
    return what, sorted(set(found))
