"""The desk without the desk: the same readings, the same policy, the same reviewer, no graph, no store.

For what takes many batches: it gives the same figures as the real run, a hundred times faster.
"""

import numpy as np

from hitl.demo.cheques import Batch, batch
from hitl.demo.digits import Lesson, handwriting, learn
from hitl.demo.figures import Outcome
from hitl.demo.reviewer import SimulatedReviewer
from hitl.demo.rules import READ, desk_policy
from hitl.models import ConfidenceKind, Place, StepName
from hitl.policy import Escalate, EscalationPolicy, GateFacts, gate
from hitl.reliability import Standing, Write, log_probability


def simulate(
    seed: int, cheques: int, *, budget: float, accuracy: float, repeat: bool = True
) -> tuple[Lesson, Batch, Outcome]:
    """Return what a batch becomes at the desk.

    Args:
        seed: Fixes the split, the cheques and the reviewer; >= 0.
        cheques: How many, at least 1.
        budget: Share of digits to review, in [0, 1].
        accuracy: The reviewer's P(reads a digit right), in [0, 1].
        repeat: Whether images may stand on several cheques.

    Raises:
        ConfigurationError: A value is impossible.
    """
    lesson = learn(seed)
    work = batch(lesson, cheques, repeat=repeat)
    reviewer = SimulatedReviewer(accuracy, seed=seed)
    policy = desk_policy(lesson.threshold(budget), reviewer_accuracy=accuracy)
    read, confidence = lesson.reader.read_all(handwriting().pixels[work.images.ravel()])
    read = read.reshape(work.images.shape)
    p = lesson.reader.calibrator.p(confidence).reshape(work.images.shape)
    asked = np.array([_asked(policy, row) for row in p])
    seen = np.array([_seen(reviewer, work, index) for index in range(cheques)])
    return lesson, work, _outcome(p, read, asked, seen)


def _asked(policy: EscalationPolicy, chances: np.ndarray) -> list[bool]:
    """Return which digits of one cheque the policy sends to a person."""
    standing, asked = Standing(), []
    for visit, p in enumerate(map(float, chances), start=1):
        facts = GateFacts(
            name=StepName(step=READ, place=Place.AFTER, visit=visit),
            attempt=1,
            p=p,
            p_kind=ConfidenceKind.CALIBRATED,
            confidence=p,
            before=standing,
            arguments={},
            coin_u=1.0,
            run_spot_check=False,
        )
        asked.append(isinstance(gate(policy, facts), Escalate))
        standing = standing.then(Write(step=visit, log_p=log_probability(p)))
    return asked


def _seen(reviewer: SimulatedReviewer, work: Batch, index: int) -> tuple[int, ...]:
    truth = tuple(int(d) for d in work.truth[index])
    return reviewer.reads_amount(truth, cheque=work.cheques[index].face.number)


def _outcome(p: np.ndarray, read: np.ndarray, asked: np.ndarray, seen: np.ndarray) -> Outcome:
    return Outcome(
        p=p,
        read=read,
        final=np.where(asked, seen, read),
        approved=asked & (seen == read),
        denied=asked & (seen != read),
        resets=int(asked.sum()),
    )
