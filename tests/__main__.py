"""All that must hold before a change is handed in: `python -m tests [pytest's options]`.

Lint, format, floors and types first, the tests last; the exit code is 0 only when all hold.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
CHECKS: dict[str, list[str | Path]] = {
    "lint": [BIN / "ruff", "check", "."],
    "format": [BIN / "ruff", "format", "--check", "."],
    "floors": [BIN / "lint-imports", "--no-logo"],
    "types": [sys.executable, "-m", "mypy"],
}
TESTS = [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile"]


def holds(name: str, command: list[str | Path]) -> bool:
    """Run one check and say whether it holds; what it found is printed above."""
    began = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, check=False)
    word = "holds" if ended.returncode == 0 else "DOES NOT HOLD"
    print(f"-- {name} {word} ({time.monotonic() - began:.0f} s)", flush=True)
    return ended.returncode == 0


def main() -> int:
    """Run every check, then the tests, and return the exit code."""
    failed = [name for name, command in CHECKS.items() if not holds(name, command)]
    if failed:
        print(f"-- {', '.join(failed)}: look above; the tests run all the same", flush=True)
    tests = subprocess.run([*TESTS, *sys.argv[1:]], cwd=ROOT, check=False)
    return tests.returncode or (1 if failed else 0)


if __name__ == "__main__":
    sys.exit(main())
