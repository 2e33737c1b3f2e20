"""Backup and restore: a copy that is older than what was decided is not put back without saying so."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hitl.errors import StoreInUse
from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from tests.cli.conftest import Command, Shop
from tests.cli.test_upkeep import forge


@pytest.fixture
def backed(hitl: Command, shop: Shop, tmp_path: Path) -> Path:
    """Return a copy of the shop, made while a process writes it."""
    file = tmp_path / "copy.db"
    with closing(open_store(shop.url)):
        assert hitl("db", "backup", str(file), "--store", shop.url).code == 0
    return file


def decide(shop: Shop) -> None:
    with closing(open_store(shop.url)) as store:
        ReviewQueue(store).decide(
            shop.plain.id, "approve", by="ana", proposal_hash=shop.plain.proposal_hash
        )


def head_of(hitl: Command, shop: Shop, tmp_path: Path, name: str) -> str:
    file = str(tmp_path / name)
    assert hitl("audit", "head", file, "--store", shop.url).code == 0
    return file


def test_a_copy_is_whole_private_and_never_written_over(
    hitl: Command, shop: Shop, backed: Path
) -> None:
    again = hitl("db", "backup", str(backed), "--store", shop.url)

    assert backed.stat().st_mode & 0o777 == 0o600
    assert (again.code, "is there already" in again.err) == (1, True)
    ours = json.loads(hitl("audit", "verify", "--store", shop.url, "--json").out)
    copy = json.loads(hitl("audit", "verify", "--store", f"sqlite:///{backed}", "--json").out)
    assert copy == ours


def test_a_copy_with_every_decision_is_put_back(
    hitl: Command, shop: Shop, backed: Path, tmp_path: Path
) -> None:
    head = head_of(hitl, shop, tmp_path, "head.json")
    file = Path(shop.url.removeprefix("sqlite:///"))
    file.write_bytes(b"SQLite format 3\0 and then the disk broke")

    said = hitl("db", "restore", str(backed), "--head", head, "--store", shop.url, "--json")

    told = json.loads(said.out)
    assert (said.code, told["lost"]) == (0, 0)
    assert Path(told["aside"]).read_bytes().endswith(b"the disk broke")
    assert file.stat().st_mode & 0o777 == 0o600
    assert hitl("audit", "verify", "--store", shop.url, "--head", head).code == 0
    assert shop.review(shop.plain.id) == shop.plain
    with closing(open_store(shop.url)) as store:
        last = store.read(lambda r: r.audit(run_id="store"))[-1]
    assert last.body["action"] == "store.restored"


def test_a_copy_older_than_the_head_is_refused_and_a_loss_is_recorded(
    hitl: Command, shop: Shop, backed: Path, tmp_path: Path
) -> None:
    decide(shop)
    head = head_of(hitl, shop, tmp_path, "newer.json")
    words = ("db", "restore", str(backed), "--head", head, "--store", shop.url)

    refused = hitl(*words)
    assert refused.code == 1
    assert "1 events would be lost" in refused.err
    assert shop.review(shop.plain.id).status == "approved"
    nameless = hitl(*words, "--accept-loss")
    assert (nameless.code, "needs --by NAME" in nameless.err) == (2, True)

    said = hitl(*words, "--accept-loss", "--by", "oncall", "--json")
    assert (said.code, json.loads(said.out)["lost"]) == (0, 1)
    with closing(open_store(shop.url)) as store:
        gap = store.read(lambda r: r.audit(run_id="store"))[-1].body
    assert (gap["action"], gap["actor"], gap["lost"]) == ("store.restored_with_loss", "oncall", 1)
    assert gap["lost_head"] == json.loads(Path(head).read_text())["head"]
    assert hitl("audit", "verify", "--store", shop.url).code == 0


def test_without_a_head_the_database_that_is_there_speaks(
    hitl: Command, shop: Shop, backed: Path
) -> None:
    decide(shop)
    words = ("db", "restore", str(backed), "--store", shop.url)

    bare = hitl(*words)
    kept = hitl(*words, "--accept-loss", "--by", "oncall", "--json")

    assert (bare.code, "Give the newest head" in bare.err) == (2, True)
    assert (kept.code, json.loads(kept.out)["lost"]) == (0, 1)


def test_a_forged_a_broken_and_a_foreign_copy_are_refused(
    hitl: Command, shop: Shop, backed: Path, tmp_path: Path
) -> None:
    head = head_of(hitl, shop, tmp_path, "head.json")
    words = ("--head", head, "--store", shop.url)
    forge(f"sqlite:///{backed}")
    forged = hitl("db", "restore", str(backed), *words)
    broken = tmp_path / "broken.db"
    broken.write_bytes(backed.read_bytes()[:9000])

    cut = hitl("db", "restore", str(broken), *words)

    assert (forged.code, "This copy is not used" in forged.err) == (1, True)
    assert (cut.code, "is not a whole database" in cut.err) == (1, True)
    assert shop.review(shop.plain.id) == shop.plain


def test_a_store_in_use_is_not_restored(
    hitl: Command, shop: Shop, backed: Path, tmp_path: Path
) -> None:
    head = head_of(hitl, shop, tmp_path, "head.json")
    with closing(open_store(shop.url)):
        said = hitl("db", "restore", str(backed), "--head", head, "--store", shop.url)

    assert said.code == 1
    assert StoreInUse(shop.url, "process").args[0].split("process")[0] in said.err


def test_pruning_takes_the_content_of_what_is_over(hitl: Command, shop: Shop) -> None:
    words = ("db", "prune", "--by", "ops", "--store", shop.url)
    assert hitl("stop", shop.hostile.run_id, "--by", "ops", "--store", shop.url).code == 0

    young = hitl(*words, "--older-than", "90d", "--json")
    looked = hitl(*words, "--older-than", "0s", "--dry-run")
    done = hitl(*words, "--older-than", "0s", "--json")
    again = hitl(*words, "--older-than", "0s", "--json")

    assert json.loads(young.out)["runs"] == []
    assert "1 runs would be pruned" in looked.out
    assert json.loads(done.out)["runs"] == [shop.hostile.run_id]
    assert json.loads(again.out)["runs"] == []
    assert shop.review(shop.plain.id) == shop.plain
    assert hitl("audit", "verify", "--store", shop.url).code == 0
    assert hitl(*words, "--older-than", "soon").code == 2
    raw = sqlite3.connect(shop.url.removeprefix("sqlite:///"))
    assert "Evil" not in "".join(raw.iterdump())
    raw.close()
