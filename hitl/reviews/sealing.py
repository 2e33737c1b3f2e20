"""The sealer: builds the head over the whole trail, outside of the transactions that decide.

Events are chained per run, so that writers of different runs never wait for each other. What ties the
runs together is done here, every now and then, by whoever sweeps: roll the head over the events that
came since, sign it, keep it, and append it to a file elsewhere.
"""

import logging
import os
import time
from datetime import UTC, timedelta
from pathlib import Path

from hitl.audit import NO_EVENTS, Head, Heads, SealedHead, Signer, TrailLine, fits
from hitl.errors import ConfigurationError, TrailBroken
from hitl.failpoints import reach
from hitl.ports import Clock, Store

_log = logging.getLogger(__name__)

EVERY = timedelta(seconds=60)
"""How often the head is sealed while there are new events."""
_PAGE = 1000


class Sealer:
    """Seals the head of a store's trail.

    Args:
        store: Whose trail.
        clock: Stamps the heads.
        signer: Signs them; None leaves them unsigned.
        publish: A file that each sealed head is appended to, one JSON line each; None for none.
        every: The pause between two heads in `tick`.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        signer: Signer | None = None,
        publish: Path | None = None,
        every: timedelta = EVERY,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signer = signer
        self._publish = publish
        self._every = every.total_seconds()
        self._last = float("-inf")

    def tick(self) -> SealedHead | None:
        """Seal what is new if the last head is old enough; else return None."""
        if time.monotonic() - self._last < self._every:
            return None
        self._last = time.monotonic()
        return self.seal()

    def seal(self) -> SealedHead | None:
        """Seal the head over all events there are now and return it; None when none is new.

        Raises:
            TrailBroken: A new event is not what was written; nothing was sealed.
        """
        start = self._store.read(lambda r: r.last_head()) or NO_EVENTS
        head = self._rolled(start, upto=self._store.read(lambda r: r.sealable()))
        if head.seq == start.seq:
            return None
        sealed = self._signed(head)
        if not self._store.write(lambda t: t.add_head(sealed)):
            return None  # another process sealed the same events
        reach("audit.seal.before_publish")
        if self._publish is not None:
            publish(self._publish, sealed)
        reach("audit.seal.after_publish")
        return sealed

    def _rolled(self, start: Head, *, upto: int) -> Head:
        heads, after = Heads(start), start.seq
        while after < upto:
            fresh = [event for event in self._page(after) if event.seq <= upto]
            if not fresh:
                break
            heads.over(map(_checked, fresh))
            after = fresh[-1].seq
        return heads.now

    def _page(self, after: int) -> list[TrailLine]:
        return self._store.read(lambda r: r.trail(after=after, limit=_PAGE))

    def _signed(self, head: Head) -> SealedHead:
        sealed_at = self._clock().astimezone(UTC).isoformat()
        if self._signer is not None:
            return self._signer.signed(head, sealed_at=sealed_at)
        return SealedHead(**head.model_dump(), sealed_at=sealed_at)


def publish(file: Path, head: SealedHead) -> None:
    """Append a head to a file as one JSON line, on the disk when this returns."""
    with file.open("ab") as out:
        out.write(head.model_dump_json().encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())


def read_signer(file: Path) -> Signer:
    """Return the signer whose private key is in `file`.

    Raises:
        ConfigurationError: It cannot be read, others can read it too, or it holds no such key.
    """
    try:
        mode = file.stat().st_mode & 0o777
        pem = file.read_bytes()
    except OSError as problem:
        raise ConfigurationError(
            f"The key file {str(file)!r} cannot be read: {problem.strerror}."
        ) from problem
    if os.name == "posix" and mode & 0o077:
        raise ConfigurationError(
            f"The key file {str(file)!r} can be read by others (mode {mode:03o}); whoever has it"
            f" signs for you. Run: chmod 600 {file}"
        )
    return Signer(pem)


def sealer_of(store: Store, *, clock: Clock) -> Sealer:
    """Return the sealer that the environment asks for.

    `HITL_SIGNING_KEY` names the file of the private key, `HITL_HEADS_FILE` the file that heads are
    appended to. Neither is needed.

    Raises:
        ConfigurationError: The key file cannot be used.
    """
    key, file = os.environ.get("HITL_SIGNING_KEY"), os.environ.get("HITL_HEADS_FILE")
    return Sealer(
        store,
        clock=clock,
        signer=read_signer(Path(key)) if key else None,
        publish=Path(file) if file else None,
    )


def _checked(event: TrailLine) -> TrailLine:
    """Return the event, or raise: a signature must not vouch for what was changed before it."""
    if not fits(event):
        raise TrailBroken(event.seq, event.run_id)
    return event
