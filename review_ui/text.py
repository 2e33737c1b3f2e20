"""Text written by agents, made inert: escaped, isolated, and with every hidden character shown.

Unicode lets a text look like another one: bidirectional overrides reorder what is read, zero-width
and tag characters hide a message, letters of other alphabets imitate Latin ones (CVE-2021-42574;
UTS 39, mixed-script confusables). What could not be seen is replaced by a visible mark.
"""

import re
import unicodedata
from collections.abc import Iterator

from markupsafe import Markup, escape

from review_ui.phrases import count

INLINE_LIMIT = 240
"""Characters of a one-line text that are shown."""
BLOCK_LIMIT = 1200
"""Characters of a block that are shown before the fold."""
BLOCK_LINES = 14
"""Lines of a block that are shown before the fold."""

_BLANKS = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F),
    *(0x2028, 0x2029, 0x2800, 0x3164, 0xFFA0),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
}
"""Characters that render as nothing though their category is a letter, a mark or a separator."""
_EMOJI_STYLE = 0xFE0F
_MOST_MARKS = 3
"""Combining marks on one letter; more is used to draw over neighbouring lines."""
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"}
_SCRIPTS = {
    *("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "HEBREW"),
    *("ARABIC", "FULLWIDTH", "MATHEMATICAL", "LISU", "OSAGE", "DESERET", "GLAGOLITIC"),
}
_WORD = re.compile(r"[^\W\d_]+(?:[^\W_]*[^\W\d_])?")


def inline(text: object, limit: int = INLINE_LIMIT) -> Markup:
    """Return `text` as one isolated, escaped line of at most `limit` characters.

    Line breaks are marked like other controls. What is cut is counted.
    """
    whole = str(text)
    shown = whole[:limit]
    cut = len(whole) - len(shown)
    more = Markup('<span class="cut">… {}</span>').format(f"{cut:,} more") if cut else Markup()
    return Markup("<bdi>{}{}</bdi>").format(_marked(shown, keep=""), more)


def block(text: object) -> Markup:
    """Return `text` as an escaped block that keeps its lines; a long one is folded, with counts."""
    whole = str(text)
    head = _head(whole)
    rest = whole[len(head) :]
    shown = Markup('<div class="said" dir="auto">{}</div>').format(_marked(head, keep="\n\t"))
    if not rest:
        return shown
    lines = rest.count("\n")
    label = f"{len(rest):,} more {count(len(rest), 'character')}"
    if lines:
        label += f", {lines:,} more {count(lines, 'line')}"
    return Markup('{}<details class="fold"><summary>{}</summary>{}</details>').format(
        shown,
        label,
        Markup('<div class="said" dir="auto">{}</div>').format(_marked(rest, keep="\n\t")),
    )


def plain(text: object, limit: int = INLINE_LIMIT) -> str:
    """Return `text` for places that take no markup (a title, a label), hidden characters spelt out."""
    shown = str(text)[:limit]
    spelt = "".join(f"[{_name(c)}]" if _hidden(c, keep="") else c for c in shown)
    return spelt + ("…" if len(str(text)) > limit else "")


def is_tricky(text: str) -> bool:
    """Return whether `text` holds hidden characters or words of mixed alphabets."""
    return any(_hidden(c, keep="\n\t") for c in text) or any(
        _mixed(word[0]) for word in _WORD.finditer(text)
    )


def _head(text: str) -> str:
    lines = text[:BLOCK_LIMIT].splitlines(keepends=True)
    return "".join(lines[:BLOCK_LINES])


def _marked(text: str, *, keep: str) -> Markup:
    return Markup().join(_parts(text, keep))


def _parts(text: str, keep: str) -> Iterator[Markup]:
    at = 0
    for word in _WORD.finditer(text):
        scripts = _mixed(word[0])
        if scripts:
            yield _plain_run(text[at : word.start()], keep)
            label = f"Letters of more than one alphabet: {', '.join(sorted(scripts))}"
            yield Markup(
                '<span class="mixed" title="{}">{}<span class="ctl">mixed</span></span>'
            ).format(label, _plain_run(word[0], keep))
            at = word.end()
    yield _plain_run(text[at:], keep)


def _plain_run(text: str, keep: str) -> Markup:
    pieces: list[str] = []
    marks, before = 0, ""
    for c in text:
        marks = marks + 1 if unicodedata.category(c) in {"Mn", "Me"} else 0
        styled = ord(c) == _EMOJI_STYLE and unicodedata.category(before or " ") == "So"
        hidden = (_hidden(c, keep=keep) and not styled) or marks > _MOST_MARKS
        pieces.append(_mark(c) if hidden else str(escape(c)))
        before = c
    return Markup("".join(pieces))  # noqa: S704 - each piece is escaped above


def _mark(c: str) -> str:
    name = _name(c)
    return f'<span class="ctl" title="{name}">{name}</span>'


def _name(c: str) -> str:
    return f"U+{ord(c):04X}"


def _hidden(c: str, *, keep: str) -> bool:
    if c in keep:
        return False
    if ord(c) in _BLANKS:
        return True
    return c != " " and unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs", "Cn"}


def _mixed(word: str) -> set[str]:
    """Return the alphabets of `word` if it mixes some, else nothing."""
    if word.isascii():
        return set()
    found = {unicodedata.name(c, "").split(" ")[0] for c in word}
    scripts = {s.title() for s in found & _SCRIPTS}
    if found & _EAST_ASIAN and scripts <= {"Latin", "Fullwidth"}:
        return set()
    return scripts if len(scripts) > 1 else set()
