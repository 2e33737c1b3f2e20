"""What the reviewer looks at: the whole cheque, its handwriting enlarged, the digit in question framed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

BOX_SIZE = 124
"""Side of an amount box's inside in pixels: 10 image pixels, the digit's 8 and a margin of 1, so that
the digit itself is 99 pixels wide."""
SIZE = (960, 400)
_MARGIN = 24
_GAP = 10
_DECIMAL_GAP = 24
_LEFT = 86
_TOP = 188
_INK_LEVELS = 16
"""Pixels of the data go from 0 (paper) to 16 (full ink)."""

_PAPER, _PEN = (252, 250, 243), (24, 38, 84)
_GREY, _LINE, _WASH, _FRAME = 251, 252, 253, 254
_NAMED = {
    _GREY: (104, 104, 112),
    _LINE: (206, 203, 190),
    _WASH: (243, 240, 228),
    _FRAME: (200, 110, 0),
}
_SHADES = 250
"""Palette entries 0 to 249 go from paper to pen; the named colours follow."""


@dataclass(frozen=True, slots=True)
class Face:
    """What is written on a cheque, without what it means."""

    number: int
    payee: str
    boxes: tuple[tuple[int, ...], ...]
    """One image per box of the amount: 64 ink values from 0 to 16, rows top to bottom."""


def cheque_picture(face: Face, position: int | None = None) -> bytes:
    """Return the cheque as a PNG, 960 x 400, the same bytes for the same cheque.

    Args:
        face: The cheque.
        position: The box to frame, from 1; None for none.
    """
    picture = _drawn(face)
    if position is not None:
        picture = picture.copy()
        _frame(ImageDraw.Draw(picture), _box(position - 1))
    out = BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


@lru_cache(maxsize=64)
def _drawn(face: Face) -> Image.Image:
    picture = Image.new("P", SIZE, 0)
    picture.putpalette(_palette())
    draw = ImageDraw.Draw(picture)
    _print_form(draw, face)
    for place, ink in enumerate(face.boxes):
        left, top, right, bottom = _box(place)
        draw.rectangle((left, top, right, bottom), outline=_LINE, fill=0)
        picture.paste(enlarged(ink), (left + 2, top + 2))
    return picture


def enlarged(ink: Sequence[int]) -> Image.Image:
    """Return one digit smoothly enlarged (Lanczos) with its margin, as indices from paper to pen."""
    scale = (_SHADES - 1) / _INK_LEVELS
    small = Image.new("L", (8, 8))
    small.putdata([round(value * scale) for value in ink])
    padded = Image.new("L", (10, 10))
    padded.paste(small, (1, 1))
    large = padded.resize((BOX_SIZE, BOX_SIZE), Image.Resampling.LANCZOS)
    return large.point([min(level, _SHADES - 1) for level in range(256)])


def _print_form(draw: ImageDraw.ImageDraw, face: Face) -> None:
    width, height = SIZE
    draw.rectangle((0, 0, width - 1, height - 1), outline=_LINE, width=2)
    for y in range(12, 84, 6):
        draw.line((12, y, width - 13, y), fill=_WASH, width=2)
    draw.text((_MARGIN, 26), "Bank of Small Numbers", font=_font(30), fill=_SHADES - 1)
    number = f"No. {face.number:04d}"
    draw.text((width - _MARGIN, 32), number, font=_font(24), fill=_GREY, anchor="ra")
    draw.text((_MARGIN, 124), "Pay to", font=_font(20), fill=_GREY)
    draw.text((_LEFT + 8, 114), face.payee, font=_font(30), fill=_SHADES - 1)
    draw.line((_LEFT, 154, width - _MARGIN, 154), fill=_LINE, width=2)
    draw.text((_MARGIN, _TOP + 50), "EUR", font=_font(26), fill=_GREY)
    point = _box(len(face.boxes) - 2)[0] - (_GAP + _DECIMAL_GAP) // 2
    draw.ellipse((point - 5, _TOP + 114, point + 5, _TOP + 124), fill=_SHADES - 1)
    draw.text((_MARGIN, height - 46), "Amount in the drawer's hand", font=_font(18), fill=_GREY)


def _box(place: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the box at `place`, from 0; the cents stand apart."""
    left = _LEFT + place * (BOX_SIZE + 4 + _GAP) + (_DECIMAL_GAP if place >= 4 else 0)
    return left, _TOP, left + BOX_SIZE + 3, _TOP + BOX_SIZE + 3


def _frame(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    draw.rectangle((left - 5, top - 5, right + 5, bottom + 5), outline=_FRAME, width=5)
    middle = (left + right) // 2
    draw.polygon(
        [(middle - 12, bottom + 26), (middle + 12, bottom + 26), (middle, bottom + 10)], fill=_FRAME
    )


def _palette() -> list[int]:
    steps = _SHADES - 1
    colours = [
        tuple(round(p + (q - p) * level / steps) for p, q in zip(_PAPER, _PEN, strict=True))
        for level in range(_SHADES)
    ]
    colours += [_NAMED.get(index, _PAPER) for index in range(_SHADES, 256)]
    return [part for colour in colours for part in colour]


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
