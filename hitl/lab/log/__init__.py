"""The gate log as data: columns read from a store, JSONL or Parquet, and what is wrong with them."""

from hitl.lab.log.columns import FLAGS, NUMBERS, TEXTS, GateLog
from hitl.lab.log.files import read_file, write_file
from hitl.lab.log.reading import read_gate_log, record_of
from hitl.lab.log.validation import checked, unanswered

__all__ = [
    "FLAGS",
    "NUMBERS",
    "TEXTS",
    "GateLog",
    "checked",
    "read_file",
    "read_gate_log",
    "record_of",
    "unanswered",
    "write_file",
]
