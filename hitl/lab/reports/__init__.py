"""Reports on an escalation policy, each from a gate log: plain values, printed and drawn elsewhere."""

from hitl.lab.reports.asking import Asking, Lag, Ranking, asking, lag, ranking
from hitl.lab.reports.certifying import StepCertificate, certify_log, coin_sample
from hitl.lab.reports.evaluation import Evaluation, Slice, evaluate
from hitl.lab.reports.gating import Check, check_policy
from hitl.lab.reports.html import evaluation_page
from hitl.lab.reports.measuring import Measured, Position, Way, measured, way_of
from hitl.lab.reports.people import Person, Workload, people, workload
from hitl.lab.reports.plain import plain
from hitl.lab.reports.planning import Aim, Planned, best_plan, plan_log, said_plan
from hitl.lab.reports.replay import Change, Comparison, compare
from hitl.lab.reports.silent import (
    RunErrors,
    SilentErrors,
    error_rate,
    run_errors,
    silent_errors,
)

__all__ = [
    "Aim",
    "Asking",
    "Change",
    "Check",
    "Comparison",
    "Evaluation",
    "Lag",
    "Measured",
    "Person",
    "Planned",
    "Position",
    "Ranking",
    "RunErrors",
    "SilentErrors",
    "Slice",
    "StepCertificate",
    "Way",
    "Workload",
    "asking",
    "best_plan",
    "certify_log",
    "check_policy",
    "coin_sample",
    "compare",
    "error_rate",
    "evaluate",
    "evaluation_page",
    "lag",
    "measured",
    "people",
    "plain",
    "plan_log",
    "ranking",
    "run_errors",
    "said_plan",
    "silent_errors",
    "way_of",
    "workload",
]
