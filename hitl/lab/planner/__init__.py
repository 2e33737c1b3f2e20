"""The checkpoint planner: where asking pays, how often to stop, how many retries are worth it."""

from hitl.lab.planner.chains import plan_chain, plan_chain_loss, plan_chain_minutes
from hitl.lab.planner.graphs import plan_graph
from hitl.lab.planner.intervals import ReviewInterval, interval_overhead, review_interval
from hitl.lab.planner.plans import GraphPlan, Plan
from hitl.lab.planner.retrying import (
    DeadlinePolicy,
    RetryPlan,
    deadline_policy,
    done_by,
    law_of_time,
    mixed_retries,
    retries_worth,
)
from hitl.lab.planner.uncertainty import PlanSensitivity, plan_sensitivity

__all__ = [
    "DeadlinePolicy",
    "GraphPlan",
    "Plan",
    "PlanSensitivity",
    "RetryPlan",
    "ReviewInterval",
    "deadline_policy",
    "done_by",
    "interval_overhead",
    "law_of_time",
    "mixed_retries",
    "plan_chain",
    "plan_chain_loss",
    "plan_chain_minutes",
    "plan_graph",
    "plan_sensitivity",
    "retries_worth",
    "review_interval",
]
