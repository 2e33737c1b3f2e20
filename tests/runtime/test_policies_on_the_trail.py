"""Each change of the policy a workflow runs under is an event of its own chain."""

from pathlib import Path

import hitl
from hitl import Checkpoint
from tests.runtime.stage import always, line, policy


def test_a_changed_policy_is_told_and_the_same_one_is_not(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'hitl.db'}"
    strict = policy(always("act"), version="1")
    lax = policy(Checkpoint("act", confidence_below=0.5), version="2")

    told, finding = [], None
    for rules in (strict, strict, lax, strict):
        app = hitl.wrap(line(act=lambda state: {"amount": 1}), rules, store=store, name="w")
        told = [e.body for e in app.queue.audit(run_id="hitl:policy:w")]
        finding = app.queue.verify()
        app.close()

    assert finding is None
    assert {e["action"] for e in told} == {"policy.changed"}
    assert [e["policy_version"] for e in told] == ["1", "2", "1"]
    assert [e["before"] for e in told] == [None, told[0]["subject"], told[1]["subject"]]
    assert told[0]["subject"] == strict.content_hash
