"""A state that grows with every step: each snapshot stores it whole, so what is stored grows with n².

LangGraph saves one snapshot for each step. A list that gets one more item at each step is stored n
times, with n/2 items on average. Measured is at each power of two of the steps, so that measuring adds
a part to what is stored anyway that gets smaller and smaller.
"""

import logging
from collections.abc import Mapping
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from hitl.graph.lg import CHANNEL, saved_as_changes
from hitl.models import RunRecord, StateSize
from hitl.ports import Transaction

_log = logging.getLogger(__name__)

_FIRST = 64
"""Steps before the first measurement: shorter runs are small whatever they store."""
_SMALL = 16_384
"""Bytes below which a state is not worth a word."""
_GROWN = 1.5
"""By how much a state has grown since half as many steps; 2 means that it is nothing but growth."""


def is_measured(step: int) -> bool:
    """Return whether the snapshot after this superstep of the root graph is measured."""
    return step >= _FIRST and step & (step - 1) == 0


def watch_growth(
    t: Transaction, run_id: str, step: int, values: Mapping[str, Any], serde: SerializerProtocol
) -> None:
    """Measure a snapshot; note it with the run and log it, once, when its state grows with the steps.

    Args:
        t: The transaction that stores the snapshot.
        run_id: The run.
        step: The superstep the snapshot was made after.
        values: What it stores, by channel.
        serde: Turns a value into what is stored.
    """
    run = t.run(run_id)
    if run.state_size is not None and run.state_size.noted:
        return
    sizes = {
        name: len(serde.dumps_typed(value)[1])
        for name, value in values.items()
        if name != CHANNEL and not saved_as_changes(value)
    }
    size = StateSize(step=step, bytes=sum(sizes.values()))
    sentence = _sentence(run, size, max(sizes, key=sizes.__getitem__, default=""))
    changes: dict[str, Any] = {"state_size": size}
    if sentence:
        _log.warning(sentence)
        noted = size.model_copy(update={"noted": True})
        changes = {"state_size": noted, "notes": (*run.notes, sentence)}
    t.set_run(run.model_copy(update=changes))


def _sentence(run: RunRecord, size: StateSize, largest: str) -> str:
    """Return what is to say about the growth; empty for nothing."""
    before = run.state_size
    if before is None or before.step >= size.step or size.bytes < _SMALL:
        return ""
    if size.bytes < _GROWN * before.bytes:
        return ""
    each = (size.bytes - before.bytes) / (size.step - before.step)
    return (
        f"The state of run {run.id!r} grows with every step: {_told(before.bytes)} after"
        f" {before.step:,} steps, {_told(size.bytes)} after {size.step:,}, most of it in"
        f" {largest!r}. Each snapshot stores all of it, so at this pace the snapshots of"
        f" 10,000 steps take {_told(each * 10_000**2 / 2)}. Annotate {largest!r} with LangGraph's"
        " DeltaChannel, or keep in it only what the next steps need."
    )


def _told(size: float) -> str:
    """Return a number of bytes in the largest unit that leaves a digit before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
