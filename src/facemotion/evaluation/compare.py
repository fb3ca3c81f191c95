"""Weights side by side on the same faces, with a paired test for each pair."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from scipy.stats import binom

from facemotion.errors import DataError
from facemotion.evaluation.evaluator import Evaluator
from facemotion.evaluation.reading import choose_split, read_faces
from facemotion.evaluation.report_text import interval, number, percent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.evaluation.report import Report
    from facemotion.evaluation.views import Tta
    from facemotion.recognizer import EmotionRecognizer

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Pair:
    """Two sets of weights on the same faces.

    first_alone: faces that only the first has right; second_alone likewise. p: exact two-sided McNemar test;
    p_corrected: the same for the number of pairs (Bonferroni); differs: whether that is below 0.05.
    """

    first: str
    second: str
    first_alone: int
    second_alone: int
    p: float
    p_corrected: float
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: a report for each set of weights, on the same faces and labels, and each pair of them.

    names: what the pairs call the weights, in the order of the reports.
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    pairs: tuple[Pair, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values: dict[str, Any] = {
            "names": list(self.names),
            "reports": [each.to_dict() for each in self.reports],
            "pairs": [dict(vars(each)) for each in self.pairs],
        }
        return values

    def __str__(self) -> str:
        first = self.reports[0]
        where = f"{first.data} {first.split or ''}".strip()
        lines = [f"{where}: {first.count:,} faces of {', '.join(first.labels)}", ""]
        wide = max(map(len, self.names))
        lines.append(f"{'':<{wide}}  accuracy  95% interval        macro F1     ECE")
        for name, each in zip(self.names, self.reports, strict=True):
            bounds = f"{interval(each.accuracy_ci95):<18}"
            cells = f"{percent(each.accuracy):>8}  {bounds}  {number(each.macro_f1):>8}  {percent(each.ece):>6}"
            lines.append(f"{name:<{wide}}  {cells}")
        lines.append("")
        for pair in self.pairs:
            verdict = "they differ" if pair.differs else "no difference that chance does not explain"
            lines.append(
                f"{pair.first} - {pair.second}: right alone {pair.first_alone:,} - {pair.second_alone:,}, "
                f"McNemar p {pair.p_corrected:.3g} (corrected for {len(self.pairs)}): {verdict}"
            )
        return "\n".join(lines)


def compare(
    weights: Sequence[EmotionRecognizer | str | os.PathLike[str]],
    data: Samples | str | os.PathLike[str],
    *,
    split: str | None = None,
    label_rule: str | None = None,
    tta: Tta | None = None,
    allow_selected_split: bool = False,
    batch_size: int = 64,
    device: str = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> Comparison:
    """Judge several sets of weights on the same faces, and say which differences are more than chance.

    Where labels differ, all are judged on those that all of them and the data have, scaled to sum to 1. The other
    arguments are those of `Evaluator.evaluate`.
    """
    # the letters of a single name are no names
    count = 1 if isinstance(weights, str | os.PathLike) else len(weights)
    if count < 2:
        raise ValueError(f"weights: expected two or more to compare, got {count}")
    judges = [Evaluator(each, batch_size=batch_size, device=device) for each in weights]
    sets = [judge.recognizer.labels for judge in judges]
    samples = choose_split(read_faces(data, sets[0], label_rule), split)
    common = [label for label in sets[0] if all(label in each for each in (*sets, samples.labels))]
    if len(common) < 2:
        told = "; ".join("/".join(each) for each in (*sets, samples.labels))
        raise DataError("too few labels that all know", samples.source, "two or more", told)
    _ = samples.digests  # read once, and kept by what each judge makes of the samples
    reports = [
        judge.evaluate(
            samples, split=split, tta=tta, allow_selected_split=allow_selected_split, labels=common, progress=progress
        )
        for judge in judges
    ]
    names = [each.weights for each in reports]
    if len(set(names)) < len(names):
        names = [f"{position} {name}" for position, name in enumerate(names, start=1)]
    right = [each.probabilities.argmax(axis=1) == each.truth for each in reports]
    return Comparison(tuple(names), tuple(reports), tuple(_pairs(names, right)))


def mcnemar(first_alone: int, second_alone: int) -> float:
    """The exact two-sided p of McNemar's test: were both equally good, either would be right alone by a fair coin."""
    count = first_alone + second_alone
    return min(2 * float(binom.cdf(min(first_alone, second_alone), count, 0.5)), 1.0) if count else 1.0


def _pairs(names: list[str], right: list[NDArray[np.bool_]]) -> list[Pair]:
    numbers = list(combinations(range(len(names)), 2))
    pairs = []
    for first, second in numbers:
        alone = int((right[first] & ~right[second]).sum()), int((right[second] & ~right[first]).sum())
        p = mcnemar(*alone)
        corrected = min(p * len(numbers), 1.0)
        pairs.append(Pair(names[first], names[second], *alone, p, corrected, corrected < SIGNIFICANT))
    return pairs
