"""Reports on an escalation policy, each from a gate log: plain values, printed and drawn elsewhere."""

from hitl.lab.reports.asking import Asking, Lag, Ranking, asking, lag, ranking
from hitl.lab.reports.certifying import StepCertificate, certify_log, coin_sample
from hitl.lab.reports.evaluation import Evaluation, Slice, evaluate
from hitl.lab.reports.html import evaluation_page
from hitl.lab.reports.people import Person, Workload, people, workload
from hitl.lab.reports.plain import plain
from hitl.lab.reports.silent import RunErrors, SilentErrors, run_errors, silent_errors

__all__ = [
    "Asking",
    "Evaluation",
    "Lag",
    "Person",
    "Ranking",
    "RunErrors",
    "SilentErrors",
    "Slice",
    "StepCertificate",
    "Workload",
    "asking",
    "certify_log",
    "coin_sample",
    "evaluate",
    "evaluation_page",
    "lag",
    "people",
    "plain",
    "ranking",
    "run_errors",
    "silent_errors",
    "workload",
]
