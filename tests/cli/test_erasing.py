"""A7: a run's content is erased, nothing of it is left in the files, and the trail still verifies."""

import json
from pathlib import Path

import pytest

from examples.first_approval import make_app
from hitl.audit import Heads
from hitl.errors import UpkeepRefused
from hitl.models import RunStatus
from hitl.reviews import Sealer, erase_run, utcnow
from hitl.stores import open_store
from tests.cli.conftest import Command
from tests.cli.test_trail import by_stranger

PAYEE, NOTE, REASON, WHO = "Wilhelmina-9431", "note-5512-private", "reason-7714", "outcome-3310"


@pytest.fixture
def decided(url: str) -> str:
    """Return a run that was denied with words about somebody; another run stays."""
    app = make_app(url)
    run = app.start({"text": f"{PAYEE}: EUR 43.00"}, by="ina")
    other = app.start({"text": "Alba & Sons: EUR 12.00"}, by="ina")
    for each, words in ((run, (REASON, NOTE)), (other, ("kept reason", "kept note"))):
        review = each.reviews()[0]
        app.queue.decide(
            review.id,
            "deny",
            by="ana",
            proposal_hash=review.proposal_hash,
            reasons=[words[0]],
            note=words[1],
            remedy="stop",
        )
        each.wait(0)
    run.outcome(good=False, note=WHO)
    app.close()
    return run.id


def left(url: str, words: list[str]) -> list[str]:
    """Return those of the words that stand anywhere in the database's files."""
    file = Path(url.removeprefix("sqlite:///"))
    raw = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    return [word for word in words if word.encode() in raw]


def test_nothing_of_an_erased_run_is_left_and_the_trail_verifies(
    hitl: Command, url: str, decided: str, tmp_path: Path
) -> None:
    words = [PAYEE, NOTE, REASON, WHO]
    store = open_store(url)
    before = Sealer(store, clock=utcnow).seal()
    store.close()
    head = tmp_path / "head.jsonl"
    assert before is not None
    head.write_text(before.model_dump_json())
    assert left(url, words) == words

    looked = hitl("audit", "erase", decided, "--by", "dpo", "--dry-run", "--store", url)
    assert (looked.code, left(url, words)) == (0, words)
    assert "Would be erased" in looked.out
    said = hitl("audit", "erase", decided, "--by", "dpo", "--store", url, "--json")

    told = json.loads(said.out)
    assert (said.code, told["erased"], told["reviews"]) == (0, True, 1)
    assert min(told["snapshots"], told["events"], told["decisions"], told["outcomes"]) >= 1
    assert left(url, words) == []
    assert left(url, ["kept reason", "kept note", "Alba"]) == ["kept reason", "kept note", "Alba"]
    trail = tmp_path / "trail.jsonl"
    hitl("audit", "export", str(trail), "--store", url)
    assert hitl("audit", "verify", "--store", url, "--head", str(head)).code == 0
    assert by_stranger(trail, head).returncode == 0


def test_what_was_decided_by_whom_stays(hitl: Command, url: str, decided: str) -> None:
    store = open_store(url)
    try:
        erase_run(store, decided, by="dpo", now=utcnow())
        again = erase_run(store, decided, by="dpo", now=utcnow())
        review, run = store.read(lambda r: (r.reviews(run_id=decided)[0], r.run(decided)))
        events = store.read(lambda r: r.audit(run_id=decided))
    finally:
        store.close()

    assert review.decision is not None
    assert (review.decision.by, review.decision.verdict, review.decision.note) == (
        "ana",
        "deny",
        "",
    )
    assert (run.status, run.initiator, run.reason) == (RunStatus.STOPPED, "ina", "Erased.")
    assert all(event.personal is None for event in events)
    assert [event.body["actor"] for event in events[-2:]] == ["dpo", "dpo"]
    assert again["snapshots"] == again["proposals"] == 0
    assert hitl("runs", decided, "--store", url).code == 0
    assert hitl("reviews", review.id, "--store", url).code == 0


def test_a_live_run_and_an_agent_are_refused(url: str) -> None:
    app = make_app(url)
    try:
        run = app.start({"text": f"{PAYEE}: EUR 43.00"})
        with pytest.raises(UpkeepRefused, match="is waiting; it was left as it is"):
            erase_run(app.store, run.id, by="dpo", now=utcnow())
        app.stop(run.id, by="ana")
        with pytest.raises(UpkeepRefused, match="needs a person's name"):
            erase_run(app.store, run.id, by="agent:mailer", now=utcnow())
        assert run.reviews() == []
    finally:
        app.close()


def test_a_changed_reason_is_found_although_it_stands_apart(
    hitl: Command, url: str, decided: str
) -> None:
    store = open_store(url)
    change = "UPDATE hitl_audit_personal SET body = replace(body, 'reason-7714', 'reason-0000')"
    store.write(lambda t: t.connection.execute(change) and None)
    events = store.read(lambda r: r.trail())
    store.close()

    said = hitl("audit", "verify", "--store", url)

    assert Heads().over(events).events == len(events)
    assert (said.code, "its content is not what was written" in said.err) == (1, True)
