"""The cheque desk: a real job that runs offline, with real errors and a real reviewer's queue.

Nothing here is imported by the library itself. It needs the extra `demo` (Pillow and scikit-learn).
"""

from importlib.util import find_spec

from hitl.errors import MissingExtra

for _module in ("numpy", "PIL", "sklearn"):
    if find_spec(_module) is None:
        raise MissingExtra("hitl demo", "demo", _module)
