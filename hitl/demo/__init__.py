"""The cheque desk: a real job that runs offline, with real errors and a real reviewer's queue.

Nothing here is imported by the library itself. The modules need the extra `demo` (Pillow and
scikit-learn) and say so, with the command, when it is missing.
"""

from hitl.errors import ConfigurationError


class MissingExtra(ConfigurationError):
    """The demo's libraries are not installed."""

    def __init__(self, missing: ImportError) -> None:
        super().__init__(
            f"The demo needs Pillow and scikit-learn, and {missing.name!r} is not installed."
            " Run: pip install 'hitl-framework[demo]'"
        )
