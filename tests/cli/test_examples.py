"""Each example prints what its docstring says, offline, and fits on two screens."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PRINTED = {
    "first_approval.py": """\
asked:   Read EUR 48.00 to Alba & Sons? Confidence 0.62 is below 0.90. Reliability 0.62 is below 0.70.
decided: deny wrong amount
asked:   Read EUR 43.00 to Alba & Sons? Attempt 2, after a no.
decided: approve
asked:   Pay EUR 43.00 to Alba & Sons? This checkpoint always asks.
decided: approve
run:     done, paid EUR 43.00 to Alba & Sons
""",
    "chaos_graph.py": """\
waiting: Run step 'effect'
done: 2 posts, 1 key
""",
    "calendar_agent.py": """\
low risk: Delete Old stand-up? This checkpoint always asks. approve
high risk: Invite ceo@firm.example? ceo@firm.example is an executive. deny
stopped: invited bo@firm.example, deleted Old stand-up
""",
    "questions_worth_asking.py": """\
policy     asked  to people  for nothing  over-asked  wrong  cost
no gate       25         25           15          15      0    75
ask gate      25         15            5          15      0    45
""",
    "shadow_mode.py": """\
done, 0 reviews, 3 effects so far
done, 0 reviews, 6 effects so far
done, 0 reviews, 9 effects so far
Workflow calendar in shadow mode, policy calendar 1 (bf9c727a7f73…).
6 of 21 gates would have asked (29%), in 3 of 3 runs: about 6 reviewer minutes, at 1.0 each (assumed).
tool:delete_* (before): 3 of 3 would ask (100%), about 3 min
  3 × This checkpoint always asks.
  e.g. calls: name: delete_event, args: event: Old stand-up
tool:invite (before): 3 of 6 would ask (50%), about 3 min
  3 × ceo@firm.example is an executive.
  e.g. calls: name: invite, args: guest: ceo@firm.example, event: Retro
model (after): 0 of 12 would ask (0%), about 0 min
""",
    "shots_on_goal.py": """\
Mon 21:00  ABJKLMEGHICDFN, 737 km: nobody looks
Mon 23:00  MEGHIJBALKCNFD, 584 km: nobody looks
Tue 01:00  LABEGHIJMKCNFD, 510 km: nobody looks
Tue 03:00  LABEKCNFIHGJMD, 440 km: nobody looks
Tue 05:00  LABEKCNFIHMJGD, 412 km: nobody looks
Tue 07:00  LABEIFNCKHMJGD, 410 km: deny start in C
Tue 07:00  CNFIEMJGDLABHK, 409 km: approve
done: CNFIEMJGDLABHK, after 35 tries
""",
    "ten_tries_by_tomorrow.py": """\
Mon 15:00  Invoices: deny too vague
           offered for a no: Retry, 10 left, until 09:00 on 3 Mar, Stop the run
Mon 15:30  Invoices for small shops: deny no number
           offered for a no: Retry, 9 left, until 09:00 on 3 Mar, Stop the run
Mon 16:00  Invoices for small shops in 3 minutes: deny no verb
           offered for a no: Retry, 8 left, until 09:00 on 3 Mar, Stop the run
Mon 16:30  Invoices for small shops in 3 minutes Get paid: approve
           offered for a no: Retry, 7 left, until 09:00 on 3 Mar, Stop the run
done: Invoices for small shops in 3 minutes Get paid
Mon 16:30  Invoices: deny too vague
           offered for a no: Retry, 10 left, until 09:00 on 3 Mar, Stop the run
Tue 08:30  Invoices for small shops: deny no number
           offered for a no: Stop the run
stopped: ana denied step 'write' (no number).
""",
    "two_day_run.py": """\
Monday    fetch
Monday    analyse
Monday    ended with -9
Tuesday   analyse
Tuesday   asks: Run step 'publish'
Tuesday   ended with 0
Wednesday publish
Wednesday done: fetch on Monday, analyse on Tuesday, publish on Wednesday
Wednesday ended with 0
""",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
    )

    assert ended.stderr == ""
    assert ended.stdout == PRINTED[path.name]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_fits_on_two_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_curve_is_drawn_from_what_the_desk_does() -> None:
    curve = runpy.run_path(str(ROOT / "docs" / "curve.py"))

    alone, helped, seen = curve["shares"]()

    drawn = (ROOT / "docs" / "curve.svg").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert alone == sorted(alone, reverse=True)
    assert 0.09 <= seen <= 0.11
    for share in (alone[-1], helped[-1]):
        assert f"{share:.0%} " in drawn
        assert f"{share:.0%} ".replace("%", " %") in readme
