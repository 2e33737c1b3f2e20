"""What a form sent: read within limits, before anything else looks at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.requests import ClientDisconnect

MOST_BYTES = 512 * 1024
MOST_FIELDS = 500


@dataclass(frozen=True, slots=True)
class PostedForm:
    """The fields of a form, each with its values in order."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str) -> str:
        """Return the field's first value, or an empty text."""
        return next(iter(self.fields.get(name, ())), "")

    def many(self, name: str) -> tuple[str, ...]:
        """Return all the field's values that are not empty."""
        return tuple(v for v in self.fields.get(name, ()) if v.strip())

    def below(self, name: str) -> dict[str, Sequence[str]]:
        """Return the fields called `name`, or `name.` and more."""
        return {k: v for k, v in self.fields.items() if k == name or k.startswith(f"{name}.")}


async def read_form(request: Request) -> PostedForm:
    """Read a form.

    Raises:
        HTTPException: 411 without a length, 413 over 512 KiB, 400 for more than 500 fields, or a form
            that broke off.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise HTTPException(411, "The form did not say how long it is. Nothing was saved.")
    if int(length) > MOST_BYTES:
        raise HTTPException(413, "The form is over 512 KiB. Nothing was saved.")
    try:
        sent = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=MOST_BYTES)
    except ClientDisconnect:
        raise HTTPException(400, "The form broke off. Nothing was saved.") from None
    fields: dict[str, list[str]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    return PostedForm(fields)


Posted = Annotated[PostedForm, Depends(read_form)]
