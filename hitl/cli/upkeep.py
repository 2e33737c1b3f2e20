"""`hitl db` and `hitl audit erase`: the tables of a store, and what leaves them."""

from contextlib import closing

from hitl.cli.terminal import print_json, say
from hitl.errors import ConfigurationError
from hitl.policy.times import parse_duration
from hitl.reviews import erase_run, utcnow
from hitl.reviews import prune as prune_store
from hitl.stores import is_postgres, open_store, shown
from hitl.stores import upgrade as upgrade_store


def upgrade(url: str, *, as_json: bool) -> None:
    """Bring the tables of a store to this version."""
    upgrade_store(url)
    if is_postgres(url):
        # here, so that who runs workflows needs no right to create tables
        from hitl.graph.savers import make_tables  # noqa: PLC0415 - it loads LangGraph

        make_tables(url)
    if as_json:
        print_json({"store": shown(url), "current": True})
    else:
        say(f"The tables of {shown(url)} are those of this version.")


def erase(url: str, run_id: str, *, by: str, dry_run: bool, as_json: bool) -> None:
    """Erase the content of a run, and say what went."""
    with closing(open_store(url)) as store:
        counts = erase_run(store, run_id, by=by, now=utcnow(), dry_run=dry_run)
    if as_json:
        print_json({"run": run_id, "erased": not dry_run, **counts})
        return
    told = ", ".join(f"{n} {what}" for what, n in counts.items() if n) or "nothing"
    if dry_run:
        say(f"Would be erased of run {run_id}: {told}. Nothing was changed.")
        return
    say(f"Erased of run {run_id}: {told}. The trail still verifies.")
    say("Backups and exports made before still hold it; delete those by your own rules.")


def prune(url: str, older_than: str, *, by: str, dry_run: bool, as_json: bool) -> None:
    """Erase the content of runs that ended long ago, and say how many.

    Args:
        url: The store.
        older_than: A duration, e.g. `"90d"`.
        by: Who has it pruned.
        dry_run: Only tell which.
        as_json: Print JSON.

    Raises:
        ConfigurationError: `older_than` is no duration.
    """
    try:
        age = parse_duration(older_than)
    except ValueError as problem:
        raise ConfigurationError(f"--older-than {older_than!r}: {problem}") from problem
    with closing(open_store(url)) as store:
        gone = prune_store(store, older_than=age, by=by, now=utcnow(), dry_run=dry_run)
    if as_json:
        print_json({"store": url, "pruned": not dry_run, "runs": list(gone)})
    elif dry_run:
        say(f"{len(gone):,} runs would be pruned. Nothing was changed.")
    else:
        say(f"{len(gone):,} runs were pruned: their content is gone, the trail and figures stay.")
