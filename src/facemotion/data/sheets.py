"""Pictures of a data set: a bar chart of its classes, and a contact sheet of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facemotion.inputs import InputSpec

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.results import Pixels

# told apart by people who see fewer colours, and in grey (Okabe and Ito)
_COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0))
_SMALL, _LARGE = 15, 20
_CAPTION, _CAPTION_LINE = 13, 16
_CELL, _GAP = 64, 2


def bar_chart(counts: dict[str, dict[str, int]]) -> Pixels:
    """The number of samples a class, a bar for each split: (H, W, 3). `counts` is {split: {label: n}}."""
    splits, labels = list(counts), list(next(iter(counts.values()), {}))
    bar, gap, left, length = 18, 16, 130, 560
    block = bar * len(splits) + gap
    top = 44
    image = Image.new("RGB", (left + length + 90, top + block * len(labels) + 10), "white")
    canvas, font = ImageDraw.Draw(image), ImageFont.load_default(_SMALL)
    most = max((count for split in counts.values() for count in split.values()), default=0) or 1
    at = float(left)
    for number, split in enumerate(splits):
        canvas.rectangle((at, 14, at + 14, 28), fill=_COLOURS[number % len(_COLOURS)])
        canvas.text((at + 20, 21), split or "all", "black", font, "lm")
        at += 44 + canvas.textlength(split or "all", font)
    for row, label in enumerate(labels):
        y = top + row * block
        canvas.text((left - 10, y + bar * len(splits) / 2), label, "black", font, "rm")
        for number, split in enumerate(splits):
            count, low = counts[split][label], y + number * bar
            end = left + length * count / most
            canvas.rectangle((left, low + 1, end, low + bar - 2), fill=_COLOURS[number % len(_COLOURS)])
            canvas.text((end + 6, low + bar / 2), f"{count:,}", "black", font, "lm")
    return np.array(image)


def contact_sheet(samples: Samples, title: str, *, columns: int = 16, rows: int = 10, seed: int = 0) -> Pixels:
    """Samples drawn at random, as a sheet of (H, W, 3) with a title."""
    count = min(len(samples), columns * rows)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    spec = InputSpec(size=_CELL, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    return tile(samples.crops(spec, chosen), f"{title}: {count:,} of {len(samples):,}", columns)


def tile(pictures: Pixels, title: str, columns: int, captions: Sequence[str] = ()) -> Pixels:
    """Pictures (n, S, S, 3) side by side under a title, each with a caption below it where there are captions."""
    side, head = pictures.shape[1], 34
    below = _CAPTION_LINE * max((caption.count("\n") + 1 for caption in captions), default=0)
    across, down = side + _GAP, side + below + _GAP
    lines = max(-(-len(pictures) // columns), 1)
    sheet = Image.new("RGB", (columns * across + _GAP, head + lines * down + _GAP), "white")
    canvas, font = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION)
    canvas.text((8, head / 2), title, "black", ImageFont.load_default(_LARGE), "lm")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left, top = _GAP + column * across, head + row * down
        sheet.paste(Image.fromarray(picture), (left, top))
        for number, line in enumerate(captions[index].split("\n") if captions else ()):
            while len(line) > 2 and canvas.textlength(line, font) > side - 2:
                line = line[:-3] + ".."
            canvas.text((left + 2, top + side + number * _CAPTION_LINE), line, "black", font)
    return np.array(sheet)
