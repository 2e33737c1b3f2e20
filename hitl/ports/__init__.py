"""What the library needs from the outside world, as Protocols."""

from hitl.ports.clock import system_clock
from hitl.ports.keys import KeyReader, KeyWriter
from hitl.ports.store import Clock, Engine, Notifier, Reader, Store, Transaction
from hitl.ports.trail import TrailReader, TrailWriter
from hitl.ports.upkeep import ERASED, FigureReader, Unexecuted, UpkeepWriter, Wiping

__all__ = [
    "ERASED",
    "Clock",
    "Engine",
    "FigureReader",
    "KeyReader",
    "KeyWriter",
    "Notifier",
    "Reader",
    "Store",
    "TrailReader",
    "TrailWriter",
    "Transaction",
    "Unexecuted",
    "UpkeepWriter",
    "Wiping",
    "system_clock",
]
