"""Earned autonomy: an agent starts by asking always and widens what it may do alone as it proves it."""

from hitl.lab.autonomy.alarms import Alarms, Cusum
from hitl.lab.autonomy.entering import Entering, design_effect, entering
from hitl.lab.autonomy.evidence import Evidence
from hitl.lab.autonomy.looks import Calls, Looks, Move
from hitl.lab.autonomy.process import Autonomy, begin
from hitl.lab.autonomy.promise import Level, Promise, grid, unearnable
from hitl.lab.autonomy.reviewing import Reviewing
from hitl.lab.autonomy.story import Story, tell

__all__ = [
    "Alarms",
    "Autonomy",
    "Calls",
    "Cusum",
    "Entering",
    "Evidence",
    "Level",
    "Looks",
    "Move",
    "Promise",
    "Reviewing",
    "Story",
    "begin",
    "design_effect",
    "entering",
    "grid",
    "tell",
    "unearnable",
]
