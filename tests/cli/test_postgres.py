"""The command line on a store on Postgres."""

import json

import psycopg
import pytest

from examples.first_approval import make_app
from hitl.models import RunStatus
from tests.cli.conftest import Command


def test_one_review_from_the_first_table_to_the_last_word(
    hitl: Command, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITL_DATABASE_URL", postgres_url)
    assert "are those of this version" in hitl("db", "upgrade").out
    with psycopg.connect(postgres_url) as connection:
        (found,) = connection.execute("SELECT max(v) FROM checkpoint_migrations").fetchone() or ()
    assert found > 0, "LangGraph's tables too"

    app = make_app(postgres_url)
    run = app.start({"text": "Alba & Sons: EUR 43.00"}, by="ina")
    stopped = app.start({"text": "Alba & Sons: EUR 44.00"}, by="ina")
    (read,) = run.reviews()

    # while this process has it open: nobody is the only one who writes
    assert read.id in hitl("reviews", "--json").out
    assert hitl("stop", stopped.id, "--by", "ana").code == 0
    for _ in ("the reading", "the payment"):
        (review,) = run.reviews()
        decided = hitl("decide", review.id, "approve", "--by", "ana", "--yes")
        assert decided.code == 0, decided.err
        run.wait(0.0)
    assert run.status is RunStatus.DONE
    assert stopped.status is RunStatus.STOPPED
    app.close()

    assert run.id in hitl("runs", "--json").out
    assert "whole" in hitl("audit", "verify").out
    looked = json.loads(hitl("doctor", "--json").out)
    found = {line["check"]: line["verdict"] for line in looked["checks"]}
    assert (found["store"], found["writer"], found["trail"]) == ("ok", "ok", "ok")
    assert found["server"] == "warn", "the tests' server has fsync off"
