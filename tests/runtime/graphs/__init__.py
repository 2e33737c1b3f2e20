"""The graphs of the equality matrix."""

from tests.runtime.graphs import agents, nested, nodes, questions, shapes, states
from tests.runtime.graphs.case import Case

CASES: tuple[Case, ...] = (
    *shapes.CASES,
    *nested.CASES,
    *nodes.CASES,
    *questions.CASES,
    *states.CASES,
    *agents.CASES,
)
