"""What a browser sends: forms read from the page, with and without htmx."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass(slots=True)
class Form:
    """A form as a browser would send it: every input that belongs to it."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self.open = ""
        self.area: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.open = a.get("id") or a.get("action", "")
            self.forms.setdefault(self.open, Form()).action = a.get("action", "")
        owner = a.get("form", self.open)
        if tag == "input" and a.get("name") and owner:
            unchecked = a.get("type") in {"checkbox", "radio"} and "checked" not in a
            if not unchecked:
                self._add(owner, a["name"], a.get("value", ""))
        if tag == "textarea" and a.get("name"):
            self.area = (owner, a["name"])
            self._add(owner, a["name"], "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = ""
        if tag == "textarea":
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.area:
            self.forms[self.area[0]].fields[-1] = (self.area[1], data.removeprefix("\n"))

    def _add(self, owner: str, name: str, value: str) -> None:
        self.forms.setdefault(owner, Form()).fields.append((name, value))


def forms_of(page: str) -> dict[str, Form]:
    """Return the forms of a page by id, or by action where they have none."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


def send(
    client: TestClient,
    page: str,
    form_id: str,
    *,
    partial: bool = False,
    follow: bool = True,
    **changes: Any,
) -> Response:
    """Send a form of `page`; `changes` replace its fields, `None` leaves one out."""
    form = forms_of(page)[form_id]
    named = {k.replace("__", "."): v for k, v in changes.items()}
    kept = [(k, v) for k, v in form.fields if k not in named]
    data: dict[str, list[str]] = {}
    for key, value in [*kept, *((k, v) for k, v in named.items() if v is not None)]:
        data.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    answer: Response = client.post(
        form.action, data=data, headers=PARTIAL if partial else {}, follow_redirects=follow
    )
    return answer
