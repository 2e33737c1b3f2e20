"""Every single key of the pages: one letter, one meaning, on whatever page it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does."""

    letter: str
    does: str


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "next": Key("j", "the next one"),
        "previous": Key("k", "the one before"),
        "start": Key("n", "take what waits next"),
        "search": Key("/", "search"),
        "peek": Key("p", "look without holding it"),
        "mark": Key("m", "mark, to decide several alike together"),
        "approve": Key("a", "approve"),
        "deny": Key("d", "open the deny panel; again, deny with what is picked"),
        "retry": Key("r", "after a no: retry"),
        "answer": Key("g", "after a no: give the answer"),
        "rollback": Key("b", "after a no: back to the verified point"),
        "stop": Key("x", "after a no: stop"),
        "take_over": Key("t", "after a no: take over"),
        "judgement": Key("u", "of a question: use your judgement"),
        "choose": Key("v", "choose the next of several attempts"),
        "undo": Key("z", "take the last answer back"),
        "skip": Key("s", "skip it for 12 hours"),
        "later": Key("w", "later: not before the time that is chosen"),
        "hand_over": Key("h", "hand it over to a colleague"),
        "hand_back": Key("l", "leave the work undone, for anybody"),
        "help": Key("?", "this list"),
    }
)
"""By name. Digits pick a reason, or an answer of a question."""


def letter(name: str) -> str:
    """Return the key as it is printed on a button."""
    return KEYS[name].letter.upper()


def bound(name: str) -> Markup:
    """Return the attributes that bind an element to a key."""
    key = KEYS[name].letter
    return Markup(' data-key="{}" aria-keyshortcuts="{}"').format(key, key)


def bound_here(name: str) -> Markup:
    """Return the attributes that bind an element to a key while its row has the focus."""
    key = KEYS[name].letter
    return Markup(' data-row-key="{}" aria-keyshortcuts="{}"').format(key, key)
