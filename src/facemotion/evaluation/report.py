"""`Report`: the figures of an evaluation with everything they depend on, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facemotion.errors import FacemotionError
from facemotion.evaluation import report_text
from facemotion.evaluation.findings import Findings
from facemotion.evaluation.metrics import row_shares
from facemotion.evaluation.plots import (
    confusion_plot,
    mistakes_sheet,
    plots_are_possible,
    reliability_plot,
    slices_plot,
)
from facemotion.file_names import at_home
from facemotion.version import __version__
from facemotion.whole_files import write_together

logger = logging.getLogger(__name__)

_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Report(Findings):
    """What `Evaluator.evaluate` found. None stands for what can't be computed or was not asked for; `notes` say why.

    weights, weights_sha256, temperature: what was judged; the hash is that of its tensors, for weights in a folder.
    data, data_fingerprint, split, label_rule: on what. chosen_on: the split that chose the epoch of the weights;
    chosen_before: those of weights that they began from; selected_split: whether one of them is the judged one.
    tta: "flip", "ten-crop" or None. label_sets: how labels that differ were brought together.
    count: faces judged. accuracy, accuracy_ci95 (Wilson), top2, macro_f1 (mean over the classes that occur),
    weighted_f1 (by their faces), ece (over `reliability`), log_loss.
    labels, confusion (rows: truth), per_class: {label: {precision, recall, f1, support}}.
    mistakes: those of which the network was surest. leak, slices, pipeline: where they were asked for.
    truth, probabilities: (count,) and (count, K), for figures of your own; places: where each face is. worst: the faces
    of `mistakes`.
    """

    def __str__(self) -> str:
        return report_text.plain(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as report.json has them, to six digits that count; confusion_shares are shares of the rows."""
        hidden = ("truth", "probabilities", "places", "worst", "label_sets", "confusion")
        values: dict[str, Any] = {"facemotion_version": __version__}
        values |= {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name not in hidden}
        values |= {"label_sets": self.label_sets.to_dict(), "confusion": self.confusion.tolist()}
        values["confusion_shares"] = [row if sum(row) else None for row in row_shares(self.confusion).tolist()]
        plain: dict[str, Any] = _plain(values)
        return plain

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write report.json, report.md, mistakes.png and, where matplotlib is installed, plots. Gives their paths.

        Of an older report in the folder no picture is left. The same evaluation writes the same bytes.
        """
        target = at_home(folder)
        pictures = {"mistakes.png": mistakes_sheet(self.worst, self.mistakes, self.labels)} if self.mistakes else {}
        if plots_are_possible():
            pictures["confusion.png"] = confusion_plot(self.confusion, self.labels)
            pictures["reliability.png"] = reliability_plot(self.reliability, self.ece)
            if self.slices:
                pictures["slices.png"] = slices_plot(self.slices, self.accuracy)
        else:
            logger.warning("no plots without matplotlib: pip install 'facemotion[train]'")
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        # a name that is no UTF-8 is spelt out, as JSON has it too
        told = {"report.json": f"{text}\n", "report.md": report_text.markdown(self, pictures)}
        files = {name: words.encode(errors="backslashreplace") for name, words in told.items()}
        try:
            target.mkdir(parents=True, exist_ok=True)
            _refuse_others_files(target, [*files, *pictures])
            ours = (target / "report.json").exists()
            write_together(target, files | pictures)
            if ours:  # an older report's pictures would pass for this one's
                for name in report_text.PICTURES.keys() - pictures.keys():
                    (target / name).unlink(missing_ok=True)
        except OSError as error:
            raise FacemotionError(f"{target}: the report can't be written: {error.strerror or error}") from error
        return [target / name for name in (*files, *pictures)]


def _refuse_others_files(folder: Path, names: list[str]) -> None:
    """A FacemotionError where files of a report's names lie in a folder without a report."""
    there = [name for name in names if (folder / name).exists()]
    if there and not (folder / "report.json").exists():
        raise FacemotionError(f"{folder} holds {', '.join(there)}, and no report of ours: name another folder")


def _plain(value: Any) -> Any:
    """A value as JSON knows it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({each.name: getattr(value, each.name) for each in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.{_DIGITS}g}")
    return value
