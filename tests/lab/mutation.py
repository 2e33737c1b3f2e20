"""Mutants of our own source: a module's text with lines changed, loaded beside the real one."""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def mutant(module: types.ModuleType, changes: dict[str, str]) -> Any:
    """Return the module with text replaced; each text must occur in it."""
    with mutants((module, changes)) as (changed,):
        return changed


@contextmanager
def mutants(*wanted: tuple[types.ModuleType, dict[str, str]]) -> Iterator[list[Any]]:
    """Yield mutated modules; a later one imports the earlier ones under `mutant_<last name>`."""
    made: list[Any] = []
    try:
        for module, changes in wanted:
            text = Path(str(module.__file__)).read_text(encoding="utf-8")
            for old, new in changes.items():
                assert old in text, f"the mutated line is gone: {old}"
                text = text.replace(old, new)
            changed = types.ModuleType(f"mutant_{module.__name__.rpartition('.')[2]}")
            sys.modules[changed.__name__] = changed  # dataclasses look their module up by name
            made.append(changed)
            exec(compile(text, f"<{changed.__name__}>", "exec"), changed.__dict__)
        yield made
    finally:
        for changed in made:
            del sys.modules[changed.__name__]
