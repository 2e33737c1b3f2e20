"""The escalation laboratory: when to ask, proven.

`hitl.lab.estimators` says how often silent errors pass, `hitl.lab.certificates` which threshold is
safe, `hitl.lab.planner` where checkpoints pay, `hitl.lab.autonomy` how an agent earns its freedom.
All of it is pure: arrays and numbers in, numbers or a sentence out; randomness is passed in.
"""

from hitl.errors import MissingExtra

try:
    import numpy as _numpy  # noqa: F401 - asked for here, so that one sentence says what is missing
    import scipy as _scipy  # noqa: F401
except ImportError as _missing:
    raise MissingExtra("hitl.lab", "lab", _missing.name or "numpy") from _missing
