"""An example as text: what a model is given, and what it should, or should not, have said."""

import json

from pydantic import JsonValue

from hitl.feedback.examples import LabelledExample

_PARTS = (("run", "Given"), ("state", "State"), ("question", "Question"))
_WRAPPERS = ("update", "calls", "input", "answer")


def prompt_of(example: LabelledExample, *, with_reasons: bool = True) -> str:
    """Return what the step knew, as text: nothing in it became known only after it proposed.

    Args:
        example: The example.
        with_reasons: Also why earlier attempts were denied, which a retried step is told.
    """
    step = f" Step: {example.step}." if example.step else ""
    parts = [f"Workflow: {example.workflow}.{step}"]
    parts += [
        f"{title}:\n{_text(example.input[key])}" for key, title in _PARTS if key in example.input
    ]
    denials = example.shown.denials if with_reasons else ()
    told = ["; ".join(filter(None, (*denial.reasons, denial.note))) for denial in denials]
    if any(told):
        parts.append("Denied before:\n" + "\n".join(f"- {each}" for each in told if each))
    return "\n\n".join(parts)


def completion_of(example: LabelledExample) -> str:
    """Return the labelled content as text: a text as it is, everything else as JSON."""
    content: JsonValue = example.proposal
    if len(example.proposal) == 1:
        ((key, inner),) = example.proposal.items()
        content = inner if key in _WRAPPERS else content
    return _text(content)


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
