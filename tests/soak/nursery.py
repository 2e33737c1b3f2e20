"""Forks workers on request, so that a killed one is replaced without importing everything again.

Reads `go` lines on stdin; answers with the pid of a new worker, then `ready` once it has the store
open, then its exit status.
"""

import os
import sys

from tests.soak.workload import work


def main() -> None:
    url, runs = sys.argv[1], int(sys.argv[2])
    for line in sys.stdin:
        if line.strip() != "go":
            break
        pid = os.fork()
        if pid == 0:
            try:
                work(url, runs)
                os._exit(0)
            except BaseException as problem:  # the harness reports it
                print(f"worker: {problem!r}", file=sys.stderr, flush=True)
                os._exit(3)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
