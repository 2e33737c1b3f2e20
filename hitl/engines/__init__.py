"""Engines advance runs whose orders are due: `EmbeddedEngine` in threads of this process."""

from hitl.engines.embedded import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
