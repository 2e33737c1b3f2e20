"""What a no may lead to: the ladder, its budgets and deadlines, within one visit."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.models import RemedyKind, RungOffer
from hitl.policy import Answer, Remedy, Retry, Rollback, Stop, Takeover
from hitl.remedy import Used, choose, deadline, offers
from tests.rules import quick
from tests.rules.conftest import NOON

BERLIN = "Europe/Berlin"
LADDER: list[Remedy] = [Retry(3), Answer(), Rollback(), Stop()]

RUNGS: list[Remedy] = [Retry(2), Retry(2, within="1h"), Answer(), Rollback(), Takeover(), Stop()]

any_ladder = st.lists(
    st.sampled_from(RUNGS),
    max_size=5,
    unique_by=lambda rung: rung.kind,
)
any_used = st.lists(st.sampled_from(list(RemedyKind)), max_size=6)


def used(*kinds: RemedyKind) -> list[Used]:
    return [Used(kind, NOON + timedelta(minutes=n)) for n, kind in enumerate(kinds)]


def offered(
    ladder: Sequence[Remedy], *kinds: RemedyKind, after: timedelta = timedelta(0)
) -> list[RungOffer]:
    now = NOON + after
    return list(offers(ladder, used(*kinds), opened_at=NOON, now=now, timezone=BERLIN))


def names(rungs: Sequence[RungOffer]) -> list[str]:
    return [rung.kind.value for rung in rungs]


def test_rungs_are_offered_in_the_policys_order() -> None:
    assert names(offered(LADDER)) == ["retry", "answer", "rollback", "stop"]
    assert names(offered(list(reversed(LADDER)))) == ["stop", "rollback", "answer", "retry"]


@pytest.mark.parametrize(
    ("ladder", "labels"),
    [
        (LADDER, ["Retry, 3 left", "Answer yourself", "Roll back to the last verified point"]),
        ([Takeover()], ["Take over"]),
        ([Retry(1, until="tomorrow 09:00")], ["Retry, 1 left, until 09:00 on 25 Nov"]),
        ([Retry(2, within="2h")], ["Retry, 2 left, until 15:00 on 24 Nov"]),  # Berlin's clock
        ([Retry(2, within="60d")], ["Retry, 2 left, until 13:00 on 23 Jan 2027"]),
        ([], []),
    ],
)
def test_each_rung_says_what_it_is(ladder: list[Remedy], labels: list[str]) -> None:
    assert [rung.label for rung in offered(ladder)] == [*labels, "Stop the run"]


@pytest.mark.parametrize("denied", [0, 1, 2, 3, 7])
def test_every_retry_takes_one_from_the_budget(denied: int) -> None:
    rungs = offered(LADDER, *[RemedyKind.RETRY] * denied)

    if denied < 3:
        assert rungs[0].label == f"Retry, {3 - denied} left"
    else:
        assert names(rungs) == ["answer", "rollback", "stop"]


@pytest.mark.parametrize("kind", [RemedyKind.ANSWER, RemedyKind.ROLLBACK, RemedyKind.TAKEOVER])
def test_a_used_rung_never_comes_back(kind: RemedyKind) -> None:
    ladder: list[Remedy] = [*LADDER[:-1], Takeover(), Stop()]

    left = names(offered(ladder, kind, RemedyKind.RETRY))

    assert left == [rung.kind.value for rung in ladder if rung.kind is not kind]


def test_a_ladder_climbed_to_its_end_leaves_stop() -> None:
    spent = [RemedyKind.RETRY] * 3 + [RemedyKind.ANSWER, RemedyKind.ROLLBACK, RemedyKind.STOP]

    assert names(offered(LADDER, *spent)) == ["stop"]
    assert names(offered([], *spent)) == ["stop"]


def test_the_ladder_does_not_start_again_after_a_rollback() -> None:
    ladder: list[Remedy] = [Retry(1), Rollback(), Takeover()]

    assert names(offered(ladder, RemedyKind.RETRY)) == ["rollback", "takeover", "stop"]
    assert names(offered(ladder, RemedyKind.RETRY, RemedyKind.ROLLBACK)) == ["takeover", "stop"]


@pytest.mark.parametrize(
    ("after", "has_retry"),
    [
        (timedelta(0), True),
        (timedelta(hours=2) - timedelta(microseconds=1), True),
        (timedelta(hours=2), False),  # the deadline itself is over
        (timedelta(days=1), False),
    ],
)
def test_no_retry_is_offered_from_the_deadline_on(after: timedelta, has_retry: bool) -> None:
    rungs = offered([Retry(10, within="2h"), Answer()], after=after)

    assert names(rungs) == ["retry"] * has_retry + ["answer", "stop"]


def test_ten_tries_but_by_tomorrow() -> None:
    ladder: list[Remedy] = [Retry(10, until="tomorrow 09:00"), Takeover()]
    six_tries = [RemedyKind.RETRY] * 6

    evening = offered(ladder, *six_tries, after=timedelta(hours=10))
    morning = offered(ladder, *six_tries, after=timedelta(hours=20))

    assert evening[0].label == "Retry, 4 left, until 09:00 on 25 Nov"
    assert names(morning) == ["takeover", "stop"]


def test_tomorrow_stays_the_day_after_the_first_review() -> None:
    ladder = [Retry(10, until="tomorrow 09:00")]

    assert names(offered(ladder, after=timedelta(hours=19, minutes=59))) == ["retry", "stop"]
    assert names(offered(ladder, after=timedelta(days=1))) == ["stop"]


def test_an_answer_has_no_deadline() -> None:
    assert names(offered([Retry(1, within="1m"), Answer()], after=timedelta(days=9))) == [
        "answer",
        "stop",
    ]


@quick
@given(any_ladder, any_used, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_offers_are_a_part_of_the_ladder_in_its_order_and_end_somewhere(
    ladder: list[Remedy], spent: list[RemedyKind], after: timedelta
) -> None:
    left = names(offered(ladder, *spent, after=after))

    assert left.count("stop") == 1
    from_ladder = [kind for kind in left if kind in [rung.kind for rung in ladder]]
    assert from_ladder == [rung.kind.value for rung in ladder if rung.kind.value in left]
    gone = set(spent) - {RemedyKind.RETRY, RemedyKind.STOP}
    assert gone.isdisjoint(left)


@quick
@given(any_ladder, any_used, st.sampled_from(list(RemedyKind)))
def test_using_something_never_brings_a_rung_back(
    ladder: list[Remedy], spent: list[RemedyKind], another: RemedyKind
) -> None:
    assert set(names(offered(ladder, *spent, another))) <= set(names(offered(ladder, *spent)))


@quick
@given(
    any_ladder,
    any_used,
    st.timedeltas(timedelta(0), timedelta(hours=2)),
    st.timedeltas(timedelta(0), timedelta(hours=2)),
)
def test_waiting_never_brings_a_rung_back(
    ladder: list[Remedy], spent: list[RemedyKind], wait: timedelta, longer: timedelta
) -> None:
    soon, late = (names(offered(ladder, *spent, after=t)) for t in (wait, wait + longer))

    assert set(late) <= set(soon)


def test_nothing_wanted_is_the_first_offer() -> None:
    rungs = offered(LADDER)

    assert choose(rungs, None) == rungs[0]
    assert choose(rungs, RemedyKind.ROLLBACK) == rungs[2]
    assert choose(rungs, RemedyKind.TAKEOVER) is None
    assert choose(offered(LADDER, RemedyKind.ANSWER), RemedyKind.ANSWER) is None
    assert choose([], None) is None


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ([], None),
        ([Retry(3), Answer()], None),
        ([Retry(3, within="2h")], datetime(2026, 11, 24, 14, tzinfo=UTC)),
        ([Answer(), Retry(3, until="tomorrow 09:00")], datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ([Retry(3, within="2h", until="today 14:30")], datetime(2026, 11, 24, 13, 30, tzinfo=UTC)),
        ([Retry(3, within="30m", until="18:00")], datetime(2026, 11, 24, 12, 30, tzinfo=UTC)),
        ([Retry(3, until="09:00")], datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),  # 09:00 is past
    ],
)
def test_the_deadline_is_the_earliest_limit(
    ladder: list[Remedy], expected: datetime | None
) -> None:
    at = deadline(ladder, opened_at=NOON, timezone=BERLIN)

    assert at == expected
    assert at is None or at.tzinfo is UTC
