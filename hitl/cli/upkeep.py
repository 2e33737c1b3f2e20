"""`hitl db`: the tables of a store."""

from hitl.cli.terminal import print_json, say
from hitl.stores import upgrade as upgrade_store


def upgrade(url: str, *, as_json: bool) -> None:
    """Bring the tables of a store to this version."""
    upgrade_store(url)
    if as_json:
        print_json({"store": url, "current": True})
    else:
        say(f"The tables of {url} are those of this version.")
