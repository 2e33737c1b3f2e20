"""Draws `docs/curve.svg`: how many cheques are still right after each digit, alone and with a person.

Run `python docs/curve.py` with the extra `demo` installed. It prints the shares and writes the picture.
The numbers are those of `hitl demo --headless`, of 20 seeds together.
"""

from pathlib import Path

import numpy as np

from hitl.demo.simulation import simulate

SEEDS = range(20)
CHEQUES = 150
BUDGET = 0.10
PICTURE = Path(__file__).with_name("curve.svg")
_WIDTH, _HEIGHT, _LEFT, _TOP = 720, 300, 56, 24
_INNER_WIDTH, _INNER_HEIGHT = 410, 220
_LOWEST = 0.7
"""The share at the bottom of the picture."""
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #24292f }
.small { font-size: 12px; fill: #57606a }
.grid { stroke: #d0d7de }
path { fill: none; stroke-width: 3 }
.alone { stroke: #cf222e } .with { stroke: #1a7f37 }
text.alone { fill: #cf222e; stroke: none } text.with { fill: #1a7f37; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
  .alone { stroke: #ff7b72 } .with { stroke: #56d364 }
  text.alone { fill: #ff7b72 } text.with { fill: #56d364 }
}
"""


def shares() -> tuple[list[float], list[float], float]:
    """Return the shares right so far after 0 to 6 digits, alone and with a person; and the share seen.

    The last is the share of all digits that the person looked at.
    """
    alone, helped, seen = [], [], []
    for seed in SEEDS:
        _, batch, outcome = simulate(seed, CHEQUES, budget=BUDGET, accuracy=1.0)
        alone.append(np.logical_and.accumulate(outcome.read == batch.truth, axis=1))
        helped.append(np.logical_and.accumulate(outcome.final == batch.truth, axis=1))
        seen.append(outcome.reviewed)
    columns = [[1.0, *np.concatenate(rows).mean(axis=0).tolist()] for rows in (alone, helped)]
    return columns[0], columns[1], float(np.concatenate(seen).mean())


def picture(alone: list[float], helped: list[float], seen: float) -> str:
    """Return the two curves as SVG."""
    grid = "".join(_grid_line(share) for share in (0.7, 0.8, 0.9, 1.0))
    digits = "".join(
        f'<text class="small" x="{_x(d):.0f}" y="{_TOP + _INNER_HEIGHT + 20}" '
        f'text-anchor="middle">{d}</text>'
        for d in range(len(alone))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Alone {alone[-1]:.0%} of cheques are right after six digits, with a person '
        f'{helped[-1]:.0%}"><style>{_STYLE}</style>{grid}{digits}'
        f'<text class="small" x="{_LEFT}" y="{_HEIGHT - 8}">digits read; share of cheques with '
        f"every digit right so far</text>"
        f"{_curve(alone, 'alone')}{_curve(helped, 'with')}"
        f"{_label(helped[-1], 'with', f'{helped[-1]:.0%} with a person', f'who sees {seen:.0%} of the digits')}"
        f"{_label(alone[-1], 'alone', f'{alone[-1]:.0%} alone', 'each digit is right 95% of the time')}"
        "</svg>\n"
    )


def _x(digit: int) -> float:
    return _LEFT + _INNER_WIDTH * digit / 6


def _y(share: float) -> float:
    return _TOP + _INNER_HEIGHT * (1.0 - share) / (1.0 - _LOWEST)


def _grid_line(share: float) -> str:
    return (
        f'<path class="grid" style="stroke-width:1" d="M{_LEFT} {_y(share):.1f}h{_INNER_WIDTH}"/>'
        f'<text class="small" x="{_LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">'
        f"{share:.0%}</text>"
    )


def _curve(values: list[float], name: str) -> str:
    points = "L".join(f"{_x(d):.1f} {_y(share):.1f}" for d, share in enumerate(values))
    return f'<path class="{name}" d="M{points}"/>'


def _label(share: float, name: str, first: str, second: str) -> str:
    x, y = _x(6) + 12, _y(share)
    return (
        f'<text class="{name}" x="{x:.0f}" y="{y:.1f}">{first}</text>'
        f'<text class="small" x="{x:.0f}" y="{y + 17:.1f}">{second}</text>'
    )


def main() -> None:
    """Print the shares, and write the picture."""
    alone, helped, seen = shares()
    print("digits ", *(f"{d:>6}" for d in range(7)))
    print("alone  ", *(f"{share:6.3f}" for share in alone))
    print("with   ", *(f"{share:6.3f}" for share in helped))
    print(f"reviewed {seen:.3f} of the digits")
    PICTURE.write_text(picture(alone, helped, seen), encoding="utf-8")


if __name__ == "__main__":
    main()
