"""The pure rules: values in, values out, no clock, no database; under five seconds in all."""

from hypothesis import settings

quick = settings(max_examples=40, deadline=None)
"""No deadline: a slow machine is no bug in a rule."""
