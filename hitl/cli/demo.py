"""`hitl demo`: the cheque desk."""


def headless(
    *,
    cheques: int | None,
    seed: int,
    reviewer_accuracy: float,
    budget: float,
    as_json: bool,
) -> None:
    """Run the desk with a simulated reviewer, and print what came of it."""
    raise NotImplementedError


def live(*, cheques: int | None, seed: int, budget: float, port: int) -> None:
    """Serve the desk in the browser."""
    raise NotImplementedError
