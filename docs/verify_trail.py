r"""Check an exported trail with nothing of hitl: no database, and Python alone unless heads are signed.

    python verify_trail.py trail.jsonl [heads.json [public.pem]]

Each line is an event {"seq", "run_id", "chain_seq", "prev", "hash", "body"}. `hash` is the SHA-256 of the
canonical JSON (RFC 8785) of {"prev", "chain_seq", "body"}; the chain of a run starts at 64 zeros. A head
is rolled over all events: SHA-256 of the head before and the event's hash, as 128 hex digits. It is signed
by Ed25519 over "hitl head v1\n" and the canonical JSON of {"seq", "events", "head", "sealed_at"}.
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
    """Yield the objects of a file, one line at a time."""
    with Path(path).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def check_signature(head: dict[str, Any], pem: bytes) -> None:
    """Raise unless the key signed the head; needs `pip install cryptography`."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    key: Any = serialization.load_pem_public_key(pem)
    signed = canonical({name: head[name] for name in ("seq", "events", "head", "sealed_at")})
    key.verify(bytes.fromhex(head["signature"]), b"hitl head v1\n" + signed.encode())


def check(trail: str, heads: str | None = None, key: str | None = None) -> str | None:
    """Return what is wrong, or None."""
    kept = list(read(heads)) if heads else []
    wanted = {each["seq"] for each in kept}
    for each in kept if key else []:
        try:
            check_signature(each, Path(key or "").read_bytes())
        except ImportError:
            return "signatures are checked by the package cryptography, which is not installed"
        except Exception:  # an InvalidSignature, and whatever a made-up head makes it raise
            return f"the head at event {each['seq']} is not signed by this key"
    ends: dict[str, tuple[int, str]] = {}
    last, count, head, met = 0, 0, "0" * 64, {0: ("0" * 64, 0)}
    for event in read(trail):
        before, prev = ends.get(event["run_id"], (0, "0" * 64))
        if event["seq"] <= last or event["chain_seq"] != before + 1 or event["prev"] != prev:
            return f"event {event['seq']} does not follow the one before it"
        body = {name: event[name] for name in ("prev", "chain_seq", "body")}
        moved = event["body"].get("run_id", event["run_id"]) != event["run_id"]
        if moved or event["hash"] != sha(canonical(body).encode()):
            return f"event {event['seq']} is not what was written"
        ends[event["run_id"]] = (event["chain_seq"], event["hash"])
        last, count, head = event["seq"], count + 1, sha((head + event["hash"]).encode())
        if last in wanted:
            met[last] = (head, count)
    for each in kept:
        if met.get(each["seq"]) != (each["head"], each["events"]):
            return f"the trail does not have the kept head at event {each['seq']}"
    print(f"whole: {count} events, {len(kept)} heads kept, head {head}")
    return None


if __name__ == "__main__":
    problem = check(*sys.argv[1:])
    sys.exit(problem and f"BROKEN: {problem}")
