"""The picture: whole cheque, digits enlarged smoothly, one framed, nothing given away."""

from io import BytesIO

import numpy as np
from PIL import Image

from hitl.demo.cheques import batch
from hitl.demo.digits import learn
from hitl.demo.pictures import BOX_SIZE, Face, cheque_picture, enlarged

FACE = batch(learn(0), 1).cheques[0].face


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def test_a_picture_is_a_png_small_enough_to_be_evidence() -> None:
    png = cheque_picture(FACE, 3)

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < 512 * 1024
    assert opened(png).size == (960, 400)


def test_the_same_cheque_gives_the_same_bytes() -> None:
    again = Face(FACE.number, FACE.payee, tuple(FACE.boxes))
    assert cheque_picture(FACE, 2) == cheque_picture(again, 2)


def test_only_the_frame_tells_positions_apart() -> None:
    plain, framed = (np.array(opened(cheque_picture(FACE, at))) for at in (None, 4))

    changed = (plain != framed).any(axis=2)

    columns = np.flatnonzero(changed.any(axis=0))
    assert changed.mean() < 0.02
    assert columns.max() - columns.min() < BOX_SIZE + 20
    assert {tuple(colour) for colour in framed[changed]} == {(200, 110, 0)}


def test_a_digit_is_at_least_96_pixels_and_smooth() -> None:
    image = np.array(enlarged(FACE.boxes[0]))

    assert image.shape == (BOX_SIZE, BOX_SIZE)
    assert BOX_SIZE * 8 / 10 >= 96
    assert len(np.unique(image)) > 17  # nearest neighbour would keep the 17 levels of the data
    assert np.abs(np.diff(image.astype(int), axis=1)).max() < 60


def test_another_cheque_looks_different() -> None:
    other = batch(learn(0), 2).cheques[1].face
    assert cheque_picture(FACE) != cheque_picture(other)
