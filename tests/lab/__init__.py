"""The escalation laboratory: its numbers against closed forms, other libraries and simulation."""

from hypothesis import settings

quick = settings(max_examples=40, deadline=None)
"""No deadline: a slow machine is no bug in an estimator."""
