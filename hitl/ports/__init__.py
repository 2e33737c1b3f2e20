"""What the library needs from the outside world, as Protocols."""

from hitl.ports.clock import system_clock
from hitl.ports.keys import KeyReader, KeyWriter
from hitl.ports.store import Clock, Engine, Notifier, Reader, Store, Transaction
from hitl.ports.trail import TrailReader, TrailWriter
from hitl.ports.upkeep import ERASED, UpkeepWriter, Wiping

__all__ = [
    "ERASED",
    "Clock",
    "Engine",
    "KeyReader",
    "KeyWriter",
    "Notifier",
    "Reader",
    "Store",
    "TrailReader",
    "TrailWriter",
    "Transaction",
    "UpkeepWriter",
    "Wiping",
    "system_clock",
]
