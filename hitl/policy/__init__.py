"""When to ask a person: policies as data, and the question asked at each gate.

A policy looks; it never acts. `times` and `functions` are how it writes deadlines and names
functions, `doubt`, `remedies` and `checkpoint` what it is made of, `escalation` and `files` the whole of it
in Python and in YAML, `patterns` what a checkpoint may stand for, `gates` the question, `questions` those
that steps ask themselves, `coin` the spot check's draw.
"""

from hitl.policy.checkpoint import Checkpoint, Rule, default_ladder
from hitl.policy.checks import nothing_stood
from hitl.policy.coin import coin, run_coin
from hitl.policy.doubt import Critic, Doubt, Judge, Rollouts
from hitl.policy.escalation import EscalationPolicy, Match
from hitl.policy.functions import resolve
from hitl.policy.gates import Escalate, GateFacts, Pass, gate, plain
from hitl.policy.patterns import Step, Tool
from hitl.policy.questions import AskGate, QuestionFacts, Worth, worth_asking
from hitl.policy.remedies import Answer, Remedy, Retry, Rollback, Stop, Takeover
from hitl.policy.reviewer import Reviewer
from hitl.policy.times import format_duration, parse_duration, resolve_until

__all__ = [
    "Answer",
    "AskGate",
    "Checkpoint",
    "Critic",
    "Doubt",
    "Escalate",
    "EscalationPolicy",
    "GateFacts",
    "Judge",
    "Match",
    "Pass",
    "QuestionFacts",
    "Remedy",
    "Retry",
    "Reviewer",
    "Rollback",
    "Rollouts",
    "Rule",
    "Step",
    "Stop",
    "Takeover",
    "Tool",
    "Worth",
    "coin",
    "default_ladder",
    "format_duration",
    "gate",
    "nothing_stood",
    "parse_duration",
    "plain",
    "resolve",
    "resolve_until",
    "run_coin",
    "worth_asking",
]
