"""Finding the workflow that `--app module:name` names."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from hitl.errors import ConfigurationError, HitlError
from hitl.runtime import Workflow


def load(target: str) -> Any:
    """Return the object that `module:name` names, the working directory searched first.

    Raises:
        ConfigurationError: There is no such module or name, or importing it failed.
    """
    module_name, colon, name = target.partition(":")
    if not (module_name and colon and name):
        raise ConfigurationError(f"{target!r} does not name an object; write it as 'module:name'.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module_name)
    except HitlError:
        raise
    except Exception as problem:
        raise ConfigurationError(_not_loaded(target, problem)) from problem
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"Module {module_name!r} has no {name!r}; look at its names.")
        found = getattr(found, part)
    return found


def load_workflow(target: str) -> Workflow:
    """Return the wrapped workflow that `module:name` names, or that the function there returns.

    Raises:
        ConfigurationError: It is none, or making it failed.
    """
    found = load(target)
    if callable(found) and not isinstance(found, Workflow):
        try:
            found = found()
        except HitlError:
            raise
        except Exception as problem:
            raise ConfigurationError(_not_loaded(target, problem)) from problem
    if not isinstance(found, Workflow):
        raise ConfigurationError(
            f"{target!r} is a {type(found).__name__}, not a wrapped workflow; name the result of"
            " `hitl.wrap(graph)`, or a function that returns it."
        )
    return found


def _not_loaded(target: str, problem: Exception) -> str:
    if isinstance(problem, ModuleNotFoundError) and target.partition(":")[0] == problem.name:
        return f"There is no module {problem.name!r} here or among the installed packages."
    last = traceback.extract_tb(problem.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return f"Loading {target!r} failed ({where}): {type(problem).__name__}: {problem}"
