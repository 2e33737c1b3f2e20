from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hitl.audit import canonical_event

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    # controls, quotes, the last of ASCII, line separators, and keys UTF-16 sorts its own way
    st.sampled_from(["\x00\x1f\b\t\n\f\r", '"\\/', "\x7f\u2028\u2029", "\ufb33", "\U0001f600"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.text("ab\ufb33\U0001f600"), inner)
    ),
)


@given(VALUES)
def test_the_fast_way_writes_the_same_bytes_as_the_reference(value: Any) -> None:
    assert canonical_event({"v": value}) == rfc8785.dumps({"v": value})


class Word(StrEnum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, b"1"),
        (-0.0, b"0"),
        (1e21, b"1e+21"),
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),
        (Word.YES, b'"yes"'),
        ((1, 2), b"[1,2]"),
    ],
)
def test_what_python_writes_otherwise_is_written_by_the_standard(value: Any, text: bytes) -> None:
    assert canonical_event({"v": value}) == b'{"v":' + text + b"}"


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        [float("nan")],
        {"a": float("inf")},
        "\ud800",
        {"\ud800": 1},
        {1: 2},
        {"a": {1}},
        b"bytes",
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is the library's
        canonical_event({"v": value})
