"""Pictures of a data set: a bar chart of its classes, and a contact sheet of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facemotion.inputs import InputSpec
from facemotion.lettering import shortened, told_apart, writable

if TYPE_CHECKING:
    from facemotion.data.samples import Samples
    from facemotion.results import Pixels

    _Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# told apart by people who see fewer colours, and in grey (Okabe and Ito)
_COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0))
_SMALL, _LARGE = 15, 20
_CAPTION, _CAPTION_LINE = 13, 16
_CELL, _GAP = 64, 2
# pixels that a chart has for the names of its classes, and for a line of the names of its splits
_LEAST_MARGIN, _MOST_MARGIN = 130, 400
_LEGEND_LINE = 22


def bar_chart(counts: dict[str, dict[str, int]]) -> Pixels:
    """The number of samples a class, a bar for each split: (H, W, 3). `counts` is {split: {label: n}}."""
    splits, labels = list(counts), list(next(iter(counts.values()), {}))
    font = ImageFont.load_default(_SMALL)
    names = list(told_apart(labels, fits=_within(_MOST_MARGIN - 20, font)).values())
    left = max([_LEAST_MARGIN, *(round(font.getlength(name)) + 20 for name in names)])
    bar, gap, length, right = 18, 16, 560, 90
    legend, lines = _legend(splits, length + right - 10, font)
    top = 22 + _LEGEND_LINE * lines
    block = bar * len(splits) + gap
    image = Image.new("RGB", (left + length + right, top + block * len(labels) + 10), "white")
    canvas = ImageDraw.Draw(image)
    most = max((count for split in counts.values() for count in split.values()), default=0) or 1
    for number, (at, line, name) in enumerate(legend):
        x, y = left + at, 14 + line * _LEGEND_LINE
        canvas.rectangle((x, y, x + 14, y + 14), fill=_COLOURS[number % len(_COLOURS)])
        canvas.text((x + 20, y + 7), name, "black", font, "lm")
    for row, (label, name) in enumerate(zip(labels, names, strict=True)):
        y = top + row * block
        canvas.text((left - 10, y + bar * len(splits) / 2), name, "black", font, "rm")
        for number, split in enumerate(splits):
            count, low = counts[split][label], y + number * bar
            end = left + length * count / most
            canvas.rectangle((left, low + 1, end, low + bar - 2), fill=_COLOURS[number % len(_COLOURS)])
            canvas.text((end + 6, low + bar / 2), f"{count:,}", "black", font, "lm")
    return np.array(image)


def contact_sheet(samples: Samples, title: str, *, columns: int = 16, rows: int = 10, seed: int = 0) -> Pixels:
    """Samples drawn at random, as a sheet of (H, W, 3) with a title, which may be one of their labels."""
    count = min(len(samples), columns * rows)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:count])
    spec = InputSpec(size=_CELL, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    # `tile` shortens the whole title, which ends in how many there are
    name = told_apart(samples.labels.labels).get(title, title)
    return tile(samples.crops(spec, chosen), f"{name}: {count:,} of {len(samples):,}", columns)


def tile(pictures: Pixels, title: str, columns: int, captions: Sequence[str] = ()) -> Pixels:
    """Pictures (n, S, S, 3) side by side under a title, each with a caption below it where there are captions."""
    side, head = pictures.shape[1], 34
    below = _CAPTION_LINE * max((caption.count("\n") + 1 for caption in captions), default=0)
    across, down = side + _GAP, side + below + _GAP
    lines = max(-(-len(pictures) // columns), 1)
    sheet = Image.new("RGB", (columns * across + _GAP, head + lines * down + _GAP), "white")
    canvas, font, large = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION), ImageFont.load_default(_LARGE)
    canvas.text((8, head / 2), shortened(writable(title), _within(sheet.width - 16, large)), "black", large, "lm")
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left, top = _GAP + column * across, head + row * down
        sheet.paste(Image.fromarray(picture), (left, top))
        for number, line in enumerate(captions[index].split("\n") if captions else ()):
            shown = shortened(writable(line), _within(side - 2, font))
            canvas.text((left + 2, top + side + number * _CAPTION_LINE), shown, "black", font)
    return np.array(sheet)


def _legend(splits: Sequence[str], width: int, font: _Font) -> tuple[list[tuple[float, int, str]], int]:
    """Where each split's name goes, pixels from the left and line, and how it is written; and the number of lines."""
    mark, gap = 20, 24
    written = told_apart(splits, fits=_within(width - mark, font))
    legend: list[tuple[float, int, str]] = []
    at, line = 0.0, 0
    for split in splits:
        name = written[split] or "all"
        wide = mark + font.getlength(name)
        if at and at + wide > width:
            at, line = 0.0, line + 1
        legend.append((at, line, name))
        at += wide + gap
    return legend, line + 1


def _within(width: float, font: _Font) -> Callable[[str], bool]:
    """Whether a text is at most this many pixels wide."""
    return lambda text: font.getlength(text) <= width
