"""What an agent wrote cannot move the cursor, reorder a line, or hide."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.cli.terminal import print_json, say, share, table, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Alba & Sons, 43.00 €", "Alba & Sons, 43.00 €"),
        ("Kovač 北京 🙂", "Kovač 北京 🙂"),
        ("\x1b[2J", "\\x1b[2J"),  # C0: would clear the screen
        ("\x9b31m", "\\x9b31m"),  # C1: the same in one byte
        ("a\x7fb\r\n\t", "a\\x7fb\\r\\n\\t"),
        ("pay \u202e00.1", "pay \\u202e00.1"),  # bidirectional override
        ("x\u2066y\u2069", "x\\u2066y\\u2069"),  # isolates
        ("a\u200bb\ufeffc\u00ad", "a\\u200bb\\ufeffc\\xad"),  # shows nothing
        ("\U000e0041", "\\U000e0041"),  # tag characters
        ("\u2028\u3164\u2800", "\\u2028\\u3164\\u2800"),  # separators and blanks
        ("\ud800", "\\ud800"),  # a lone surrogate: no terminal takes it
    ],
)
def test_hidden_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_no_text_keeps_a_character_that_a_terminal_obeys(text: str) -> None:
    kept = {unicodedata.category(c) for c in visible(text)}

    assert kept.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def test_line_breaks_stay_where_they_are_wanted() -> None:
    assert visible("one\ntwo\x1b", keep="\n") == "one\ntwo\\x1b"


def test_a_long_text_is_cut_and_counted() -> None:
    assert visible("x" * 1300, limit=100) == "x" * 100 + "… (1,200 more characters)"


def test_json_is_inert_and_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"payee": "\x1b[2J\x7f\x9b\u202e\ud800 ü"}

    print_json(value)

    printed = capsys.readouterr().out
    assert set(printed) <= {chr(c) for c in range(0x20, 0x7F)} | {"\n"}
    assert json.loads(printed) == value


def test_markup_and_emoji_codes_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold red]paid[/] :smile: \x1b[31m")

    assert capsys.readouterr().out == "[bold red]paid[/] :smile: \\x1b[31m\n"


def test_a_table_shows_none_as_a_dash() -> None:
    made = table(["a", "b"], [("\x07", None)])

    cells = [str(next(iter(column.cells))) for column in made.columns]
    assert cells == ["\\x07", "–"]


@pytest.mark.parametrize(
    ("p", "shown"),
    [(None, None), (1.0, "1.00"), (0.62, "0.62"), (0.994, "0.99"), (0.9996, "0.9996")],
)
def test_a_share_is_never_rounded_up_to_certainty(p: float | None, shown: str | None) -> None:
    assert share(p) == shown
