"""Pictures that TensorBoard shows of a training: the faces as the network is fed them, and what it confuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facemotion.data.sheets import tile
from facemotion.evaluation.metrics import row_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.data.loaders import Batch
    from facemotion.inputs import InputSpec
    from facemotion.labels import LabelSet
    from facemotion.results import Pixels

_FACES, _COLUMNS = 64, 8
_CELL, _TEXT = 44, 14


def face_sheet(batch: Batch, spec: InputSpec) -> Pixels:
    """The first faces of a batch, with all that was done to them."""
    images = batch.images[:_FACES].permute(0, 2, 3, 1).cpu().numpy() * np.array(spec.std) + np.array(spec.mean)
    faces = np.rint(images.clip(0, 1) * 255).astype(np.uint8)
    return tile(np.broadcast_to(faces, (*faces.shape[:3], 3)), "as the network is fed them", _COLUMNS)


def confusion_picture(confusion: NDArray[np.int64], labels: LabelSet) -> Pixels:
    """A confusion matrix: a row for each true label; each cell has the percentage of its row, dark where much."""
    font = ImageFont.load_default(_TEXT)
    percent = 100 * row_shares(confusion)
    left = round(max(font.getlength(label) for label in labels)) + 16
    top = left + 24
    side = _CELL * len(labels)
    title = "rows: the truth, columns: what the network says, in %"
    image = Image.new("L", (max(left + side, round(font.getlength(title))) + 16, top + side + 8), 255)
    canvas = ImageDraw.Draw(image)
    canvas.text((8, 8), title, 0, font)
    for row, label in enumerate(labels):
        middle = (row + 0.5) * _CELL
        canvas.text((left - 8, top + middle), label, 0, font, "rm")
        upright = Image.new("L", (left, 20), 255)
        ImageDraw.Draw(upright).text((8, 10), label, 0, font, "lm")
        image.paste(upright.rotate(90, expand=True), (left + round(middle) - 10, top - left))
        for column, value in enumerate(percent[row]):
            x, y = left + column * _CELL, top + row * _CELL
            canvas.rectangle((x, y, x + _CELL - 2, y + _CELL - 2), fill=round(255 - 2.05 * value))
            canvas.text((x + _CELL / 2, y + _CELL / 2), f"{value:.0f}", 255 if value > 62 else 0, font, "mm")
    return np.array(image)
