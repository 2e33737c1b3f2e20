"""The command line: `hitl demo`, `serve`, `runs`, `reviews`, `decide` and the upkeep of a store.

`app` has the words and the options and nothing else, so that `hitl --help` answers at once; each
command imports what it needs when it is called.
"""

from hitl.cli.app import main, run

__all__ = ["main", "run"]
