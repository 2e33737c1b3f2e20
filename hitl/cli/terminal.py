"""Text for a terminal: what an agent wrote is made inert, and nothing in it is markup."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, JsonValue
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories that move the cursor, reorder the line, or show nothing."""
_BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xE0100, 0xE01F0)}
"""Characters that show nothing though they count as letters or marks."""
_WIDTH_OF_PIPES = 200
"""Columns when the output is not a terminal and nothing says how wide it is."""


def visible(text: object, *, keep: str = "", limit: int | None = None) -> str:
    r"""Return `text` with every control, bidirectional and hidden character as its escape.

    Terminals obey control characters: an agent's text could clear the screen, or show another
    amount than the one that is committed. `"\x1b[2J"` comes out as the four characters `\x1b` and
    then `[2J`.

    Args:
        text: What to show.
        keep: Characters that may stay, e.g. `"\n"`.
        limit: Cut after this many characters, and say how many are left out.
    """
    whole = str(text)
    shown = whole if limit is None else whole[:limit]
    cut = len(whole) - len(shown)
    inert = "".join(c if c in keep or not _hides(c) else _escaped(c) for c in shown)
    return f"{inert}… ({cut:,} more characters)" if cut else inert


def _hides(c: str) -> bool:
    return unicodedata.category(c) in _HIDDEN or ord(c) in _BLANK


def _escaped(c: str) -> str:
    return c.encode("unicode_escape").decode("ascii")


def console(*, err: bool = False) -> Console:
    """Return a console that shows text as it is: no markup, no emoji codes, no highlighting."""
    stream = sys.stderr if err else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_PIPES
    return Console(stderr=err, width=wide, markup=False, emoji=False, highlight=False)


def say(sentence: str, *, err: bool = False) -> None:
    """Print one line, made inert."""
    console(err=err).print(Text(visible(sentence)), soft_wrap=True)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, wraps: Sequence[str] = ()
) -> Table:
    """Return a table of inert text; None is shown as a dash.

    Args:
        columns: The headings.
        rows: One cell for each heading.
        wraps: The headings of columns that take what room is left, in several lines if need be. The
            others are never folded: there stand the ids that the next command takes.
    """
    made = Table(box=SIMPLE, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in wraps)
    for row in rows:
        made.add_row(*(Text("–" if cell is None else visible(cell)) for cell in row))
    return made


def when(moment: datetime | None) -> str | None:
    """Return a moment as text, in UTC and to the minute."""
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"


def share(value: float | None) -> str | None:
    """Return a probability with two decimals; close to 1 it is never rounded up to 1."""
    if value is None:
        return None
    return f"{value:.2f}" if value == 1.0 or value < 0.995 else f"{value:.4f}"


def print_json(value: JsonValue | Mapping[str, JsonValue] | BaseModel) -> None:
    """Print one JSON value. Everything that is not ASCII is escaped: it is inert in a terminal."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    text = json.dumps(plain, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")
    sys.stdout.write(text + "\n")
