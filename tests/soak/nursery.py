"""Forks workers on request, so that a killed one is replaced without importing everything again.

Reads `go` lines on stdin; the new worker says `PID ready` once it has the store open, and its exit
status follows when it is gone.
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
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
