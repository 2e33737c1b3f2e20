import pytest

from hitl.errors import NotFound
from hitl.models import Place, ProposalKey
from hitl.ports import Store
from tests.stores.acts import add_proposals
from tests.stores.records import make_proposal


def test_the_bytes_come_back_as_they_were(store: Store) -> None:
    proposal = make_proposal()

    assert store.write(lambda t: t.add_proposal(proposal)) == proposal

    assert store.read(lambda r: r.proposal(proposal.key)) == proposal
    assert store.read(lambda r: r.proposal_of(proposal.review_id)) == proposal


def test_an_unknown_proposal_is_none(store: Store) -> None:
    assert store.read(lambda r: r.proposal(make_proposal().key)) is None
    assert store.read(lambda r: r.proposal_of("rev_9")) is None


def test_the_first_writer_wins_and_the_second_gets_what_is_stored(store: Store) -> None:
    first = make_proposal(blob=b"first")
    store.write(lambda t: t.add_proposal(first))

    second = make_proposal(blob=b"second", review_id="another", gate_id="another")
    assert store.write(lambda t: t.add_proposal(second)) == first

    assert store.read(lambda r: r.proposal(first.key)) == first
    assert store.read(lambda r: r.proposal_of("another")) is None


@pytest.mark.parametrize(
    "change",
    [{"run_id": "r2"}, {"task_id": "t2"}, {"place": Place.AFTER}, {"attempt": 2}, {"rollout": 1}],
)
def test_every_part_of_the_key_counts(store: Store, change: dict[str, object]) -> None:
    first = make_proposal(blob=b"first")
    key = ProposalKey.model_validate(first.key.model_dump() | change)
    other = make_proposal(key=key, blob=b"other", review_id="another")

    add_proposals(store, first, other)

    assert store.read(lambda r: r.proposal(first.key)) == first
    assert store.read(lambda r: r.proposal(key)) == other


def test_open_proposals_are_those_not_settled_oldest_first(store: Store) -> None:
    add_proposals(store, *map(make_proposal, ("task_2", "task_1", "task_3")))

    store.write(lambda t: t.settle_proposal(make_proposal("task_1").key))

    left = store.read(lambda r: r.open_proposals("run_1"))
    assert [proposal.key.task_id for proposal in left] == ["task_2", "task_3"]
    settled = store.read(lambda r: r.proposal(make_proposal("task_1").key))
    assert settled == make_proposal("task_1", settled=True)


def test_settling_an_unknown_proposal_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        store.write(lambda t: t.settle_proposal(make_proposal().key))


def test_dropping_settles_what_the_run_has_open(store: Store) -> None:
    elsewhere = make_proposal(
        key=ProposalKey(run_id="run_2", task_id="t", place=Place.AFTER, attempt=1)
    )
    add_proposals(store, make_proposal(), elsewhere)

    store.write(lambda t: t.drop_proposals("run_1"))

    assert store.read(lambda r: r.open_proposals("run_1")) == []
    assert store.read(lambda r: r.open_proposals("run_2")) == [elsewhere]


def test_a_dropped_proposal_frees_its_key_and_stays_with_its_review(store: Store) -> None:
    first = make_proposal(blob=b"first", review_id="rev_1")
    add_proposals(store, first)
    store.write(lambda t: t.drop_proposals("run_1"))

    again = make_proposal(blob=b"again", review_id="rev_2")
    assert store.write(lambda t: t.add_proposal(again)) == again

    assert store.read(lambda r: r.proposal(again.key)) == again
    dropped = store.read(lambda r: r.proposal_of("rev_1"))
    assert dropped == first.model_copy(update={"settled": True})
    store.write(lambda t: t.drop_proposals("run_1"))
    assert store.read(lambda r: r.proposal(again.key)) is None
