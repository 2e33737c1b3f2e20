"""The rows of each format that stands on single examples. Values in, values out."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from hitl.feedback.examples import LabelledExample
from hitl.feedback.exports.texts import completion_of, prompt_of

Rows = Iterator[dict[str, Any]]


def whole(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Iterator[LabelledExample]:
    """Yield the examples whose content is known and complete; count the others by reason."""
    for example in examples:
        if not example.proposal:
            left_out["no content"] += 1
        elif example.elided:
            left_out["cut for its size"] += 1
        else:
            yield example


def right(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Iterator[LabelledExample]:
    """Yield the whole examples that are right: what a model may imitate."""
    for example in whole(examples, left_out):
        if example.label:
            yield example
        else:
            left_out["labelled wrong"] += 1


def provenance(example: LabelledExample) -> dict[str, Any]:
    """Return what travels with every row: its weight, who says so, and where it comes from."""
    return {
        "weight": example.weight,
        "label_source": example.label_source,
        "kind": example.kind,
        "id": example.id,
        "run_id": example.run_id,
        "workflow": example.workflow,
        "step": example.step,
    }


def unpaired(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield TRL's unpaired preference (KTO, BCO): `prompt`, `completion`, `label`."""
    for example in whole(examples, left_out):
        yield {
            "prompt": prompt_of(example),
            "completion": completion_of(example),
            "label": example.label,
            **provenance(example),
        }


def chat(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield chats to imitate: `messages` of a user and an assistant."""
    for example in right(examples, left_out):
        messages = [
            {"role": "user", "content": prompt_of(example)},
            {"role": "assistant", "content": completion_of(example)},
        ]
        yield {"messages": messages, **provenance(example)}


def inspect(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield Inspect AI's samples: `input`, `target`, `id`, `metadata`."""
    for example in right(examples, left_out):
        yield {
            "input": prompt_of(example),
            "target": completion_of(example),
            "id": example.id,
            "metadata": provenance(example),
        }


def openai_evals(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield samples in the style of OpenAI's evals: `input` messages and the `ideal` answer."""
    for example in right(examples, left_out):
        yield {
            "input": [{"role": "user", "content": prompt_of(example)}],
            "ideal": completion_of(example),
            "metadata": provenance(example),
        }


def plain(examples: Iterable[LabelledExample], left_out: Counter[str]) -> Rows:
    """Yield everything that is known of each example, and its weight."""
    del left_out  # nothing is
    for example in examples:
        yield {**example.model_dump(mode="json"), "weight": example.weight}
