"""`hitl db` and `hitl audit erase`: the tables of a store, and what leaves them."""

from contextlib import closing

from hitl.cli.terminal import print_json, say
from hitl.reviews import erase_run, utcnow
from hitl.stores import open_store
from hitl.stores import upgrade as upgrade_store


def upgrade(url: str, *, as_json: bool) -> None:
    """Bring the tables of a store to this version."""
    upgrade_store(url)
    if as_json:
        print_json({"store": url, "current": True})
    else:
        say(f"The tables of {url} are those of this version.")


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
