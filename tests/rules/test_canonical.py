"""One value, one byte string; what has no canonical form is refused."""

import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from hitl.canonical import canonical_json, content_hash, sha256_hex
from tests.rules import quick

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcé€", max_size=3), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),  # keys in order
        ({"\u20ac": 1, "\r": 2, "1": 3}, b'{"\\r":2,"1":3,"\xe2\x82\xac":1}'),  # RFC 8785, 3.2.3
        ([1.0, 1e21, 1e-7, 0.1, -0.0], b"[1,1e+21,1e-7,0.1,0]"),  # numbers as in ECMAScript
        ('\u000f\n"\\</script>', b'"\\u000f\\n\\"\\\\</script>"'),  # the least escaping
        ({"\U0001f600": 1, "\ufb33": 2}, b'{"\xf0\x9f\x98\x80":1,"\xef\xac\xb3":2}'),  # by UTF-16
        ([None, True, False, {}, []], b"[null,true,false,{},[]]"),
    ],
)
def test_values_are_written_as_rfc_8785_says(value: object, written: bytes) -> None:
    assert canonical_json(value) == written  # type: ignore[arg-type] # JSON by eye


@quick
@given(plain)
def test_what_is_written_reads_back_as_the_same_value(value: object) -> None:
    written = canonical_json(value)  # type: ignore[arg-type] # JSON by strategy

    assert json.loads(written, parse_int=float) == value


@quick
@given(st.dictionaries(st.text("abcdef", max_size=3), st.integers(-9, 9), min_size=2))
def test_the_order_in_which_keys_were_given_changes_nothing(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))

    assert content_hash(dict(value)) == content_hash(dict(turned))


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 2**53, -(2**53), "\ud800"],
)
def test_what_has_no_canonical_form_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_json({"value": value})


def test_integers_up_to_2_to_the_53_are_written_exactly() -> None:
    assert canonical_json([2**53 - 1, -(2**53) + 1]) == b"[9007199254740991,-9007199254740991]"


def test_the_content_hash_is_the_sha256_of_the_canonical_bytes() -> None:
    value: dict[str, JsonValue] = {"amount": 12.5, "to": "Ä"}

    assert content_hash(value) == hashlib.sha256(b'{"amount":12.5,"to":"\xc3\x84"}').hexdigest()
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
