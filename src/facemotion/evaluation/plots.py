"""Pictures of a report. All can be read in grey: by lightness, numbers and shape, never by hue alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from facemotion.data.sheets import tile
from facemotion.evaluation.metrics import row_shares
from facemotion.lettering import shortened, told_apart, writable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from facemotion.evaluation.calibration import Bin
    from facemotion.evaluation.findings import Mistake
    from facemotion.evaluation.slices import Slicing
    from facemotion.results import Pixels

_DARK, _LIGHT, _RED = "#0072B2", "#9ECAE1", "#D55E00"
# above this share of matplotlib's "Blues" white letters stand out more than black ones
_DARK_GROUND = 0.65
# letters of a name that a plot has room for; of classes the usual ones, and the inches that each letter more takes
_MOST_LETTERS, _USUAL_LETTERS, _LETTER = 36, 10, 0.085


def plots_are_possible() -> bool:
    """Whether matplotlib is installed and can be loaded, which what asks is about to do."""
    try:
        import_module("matplotlib")
    except ImportError:
        return False
    return True


def as_png(figure: Figure) -> bytes:
    """A figure as a PNG: the same figure gives the same bytes, and no display is needed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    picture = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def new_figure(width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained") -> Figure:
    """An empty figure, of this size in inches, whose parts keep clear of each other.

    layout: "compressed" is for parts whose height follows from their width.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout, dpi=110)


def _letters_of_plots() -> set[str]:
    """The letters that matplotlib's font has; for any other it would draw a box and warn."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    files = [findfont(FontProperties(family=[family])) for family in FontProperties().get_family()]
    return {chr(code) for file in files for code in get_font(file).get_charmap()}


def confusion_plot(confusion: NDArray[np.int64], labels: Sequence[str]) -> bytes:
    """The confusion matrix: shares of each row, the darker the larger, with the counts below."""
    names = list(told_apart(labels, _letters_of_plots().__contains__, _short_enough).values())
    longest = max(map(len, names), default=0)
    side = 1.9 + 0.82 * len(labels) + _LETTER * max(longest - _USUAL_LETTERS, 0)
    figure = new_figure(side + 0.9, side, "compressed")
    axes = figure.subplots()
    shares = row_shares(confusion)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*shares.shape):
        text = f"{shares[row, column]:.0%}\n{confusion[row, column]:,}"
        ink = "white" if shares[row, column] > _DARK_GROUND else "black"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=9)
    ticks = range(len(labels))
    # a label may have a dollar sign, which is no formula
    axes.set_xticks(ticks, names, rotation=35, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set(xlabel="the network says", ylabel="truth")
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, format=_percent)
    bar.set_label("share of the row")
    return as_png(figure)


def reliability_plot(bins: Sequence[Bin], ece: float | None) -> bytes:
    """How often the network is right where it is so sure, against what it should be; below, how many faces each is."""
    figure = new_figure(5.6, 6.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    width = bins[0].high - bins[0].low
    full = [each for each in bins if each.count]
    middles = [(each.low + each.high) / 2 for each in full]
    accuracy = [each.accuracy or 0.0 for each in full]
    upper.bar(middles, accuracy, width, color=_LIGHT, edgecolor="black", linewidth=0.8, label="accuracy")
    upper.plot([0, 1], [0, 1], "--", color="black", linewidth=1, label="perfectly calibrated")
    sure = [each.confidence or 0.0 for each in full]
    upper.plot(sure, accuracy, "o", color=_RED, markeredgecolor="black", markersize=6, label="mean confidence of a bin")
    error = "" if ece is None else f", expected calibration error {ece:.2%}"
    upper.set(xlim=(0, 1), ylim=(0, 1.03), ylabel="accuracy", title=f"Reliability{error}")
    upper.legend(loc="upper left")
    lower.bar(
        [(each.low + each.high) / 2 for each in bins],
        [each.count for each in bins],
        width,
        color=_DARK,
        edgecolor="black",
        linewidth=0.8,
    )
    lower.set(xlabel="confidence (highest probability)", ylabel="faces")
    for axes in (upper, lower):
        axes.set_axisbelow(True)
        axes.grid(alpha=0.3)
    upper.yaxis.set_major_formatter(_percent)
    lower.xaxis.set_major_formatter(_percent)
    return as_png(figure)


def slices_plot(slicings: Sequence[Slicing], overall: float | None) -> bytes:
    """Accuracy of each slice with its 95% interval; a gap that is more than chance has a filled square."""
    count = sum(len(each.slices) for each in slicings)
    figure = new_figure(7.2, 1.4 + 0.32 * count + 0.5 * len(slicings))
    parts = figure.subplots(
        len(slicings), 1, sharex=True, squeeze=False, height_ratios=[len(each.slices) + 0.6 for each in slicings]
    )[:, 0]
    for axes, slicing in zip(parts, slicings, strict=True):
        _slicing_plot(axes, slicing, overall)
    parts[0].plot([], [], "s", color=_RED, markeredgecolor="black", label="a gap that chance does not explain")
    parts[0].plot([], [], "o", color="white", markeredgecolor="black", label="no such gap")
    figure.legend(*parts[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    parts[-1].set_xlabel("accuracy, with 95% intervals")
    parts[-1].xaxis.set_major_formatter(_percent)
    return as_png(figure)


def _slicing_plot(axes: Axes, slicing: Slicing, overall: float | None) -> None:
    if overall is not None:
        axes.axvline(overall, color="grey", linewidth=1, linestyle="--", label="all faces")
    for row, each in enumerate(slicing.slices):
        axes.plot(each.ci95, [row, row], color="black", linewidth=1.2)
        shape, colour = ("s", _RED) if each.marked else ("o", "white")
        axes.plot(each.accuracy, row, shape, color=colour, markeredgecolor="black", markersize=7)
    known = _letters_of_plots().__contains__
    values = told_apart([each.value for each in slicing.slices], known, _short_enough)
    names = [f"{values[each.value]} ({each.count:,})" for each in slicing.slices]
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    title = shortened(writable(slicing.column, known), _short_enough)
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)
    axes.grid(axis="x", alpha=0.3)


def mistakes_sheet(faces: Pixels, mistakes: Sequence[Mistake], labels: Sequence[str] = ()) -> bytes:
    """A contact sheet of faces (n, S, S, 3), each with what it is and what was said instead.

    labels: the network's, whose places number those that Pillow's font can't write.
    """
    names = told_apart(labels)
    captions = [
        f"{names.get(each.truth, each.truth)}\n{each.probability:.0%} {names.get(each.said, each.said)}"
        for each in mistakes
    ]
    title = f"Surest mistakes ({len(faces)}): truth, and below it what was said"
    picture = io.BytesIO()
    Image.fromarray(tile(faces, title, min(8, max(len(faces), 6)), captions)).save(picture, "PNG")
    return picture.getvalue()


def _short_enough(name: str) -> bool:
    return len(name) <= _MOST_LETTERS


def _percent(value: float, _: Any = None) -> str:
    return f"{value:.0%}"
