"""The laboratory is an extra: `import hitl` does without it, and its absence is a sentence."""

import subprocess
import sys

import pytest


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_importing_hitl_brings_neither_numpy_nor_scipy() -> None:
    done = python(
        "import sys, hitl; print(sorted({'numpy', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("missing", ["numpy", "scipy"])
def test_without_the_extra_the_sentence_names_the_command(missing: str) -> None:
    done = python(f"import sys; sys.modules[{missing!r}] = None; import hitl.lab.estimators")
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"hitl.errors.MissingExtra: 'hitl.lab' needs {missing!r}, which is not installed;"
        " install it with `pip install 'hitl-framework[lab]'`."
    )


def test_the_absence_can_be_caught_either_way() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from hitl.errors import HitlError\n"
        "for kind in (HitlError, ImportError):\n"
        "    try:\n"
        "        import hitl.lab\n"
        "    except kind as refused:\n"
        "        print(refused.extra)\n"
    )
    assert python(code).stdout == "lab\nlab\n"
