"""Check an exported trail with nothing but Python: no database, nothing of hitl.

    python verify_trail.py trail.jsonl [head.json]

Each line is an event {"seq", "run_id", "chain_seq", "prev", "hash", "body"}. `hash` is the SHA-256 of the
canonical JSON (RFC 8785) of {"prev", "chain_seq", "body"}; the chain of a run starts at 64 zeros. The head
is rolled over all events: SHA-256 of the head before and the event's hash, as 128 hex digits.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any


def sha(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def number(value: float) -> str:
    """Return a float as ECMAScript writes it, which is what RFC 8785 asks for."""
    sign, digits, power = Decimal(repr(value)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + int(power)
    minus = "-" if sign and value else ""
    if len(text) <= point <= 21:
        return minus + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return f"{minus}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    rest = f".{text[1:]}" if text[1:] else ""
    return f"{minus}{text[0]}{rest}e{point - 1:+d}"


def canonical(value: object) -> str:
    """Return the RFC 8785 text of a JSON value."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(k)}:{canonical(value[k])}" for k in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def read(path: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a file, one line at a time."""
    with Path(path).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def check(path: str, head_path: str | None) -> str | None:
    """Return what is wrong, or None."""
    kept = json.loads(Path(head_path).read_text(encoding="utf-8")) if head_path else None
    ends: dict[str, tuple[int, str]] = {}
    last, count, head, then = 0, 0, "0" * 64, ("0" * 64, 0)
    for event in read(path):
        before, prev = ends.get(event["run_id"], (0, "0" * 64))
        if event["seq"] <= last or event["chain_seq"] != before + 1 or event["prev"] != prev:
            return f"event {event['seq']} does not follow the one before it"
        body = {key: event[key] for key in ("prev", "chain_seq", "body")}
        moved = event["body"].get("run_id", event["run_id"]) != event["run_id"]
        if moved or event["hash"] != sha(canonical(body).encode()):
            return f"event {event['seq']} is not what was written"
        ends[event["run_id"]] = (event["chain_seq"], event["hash"])
        last, count, head = event["seq"], count + 1, sha((head + event["hash"]).encode())
        if kept and last <= kept["seq"]:
            then = (head, count)
    if kept and then != (kept["head"], kept["events"]):
        return f"the trail does not have the kept head at event {kept['seq']}"
    print(f"whole: {count} events, head {head}")
    return None


if __name__ == "__main__":
    problem = check(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    sys.exit(problem and f"BROKEN: {problem}")
