"""What happened, epoch by epoch: a table, curves where matplotlib is there, TensorBoard where that is."""

from __future__ import annotations

import csv
import io
import logging
import os
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from facemotion.errors import TrainingError
from facemotion.evaluation.plots import as_png, confusion_plot, new_figure, plots_are_possible
from facemotion.recipes.tables import Stop
from facemotion.training.checkpoint import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.labels import LabelSet
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """One pass over the training part. epoch counts from 1; the training figures are those of the augmented faces."""

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float
    seconds: float
    faces_per_second: float

    def score(self, metric: str) -> float:
        """What picks the best epoch; larger is better."""
        if metric == "last":
            return self.epoch
        return -self.val_loss if metric == "loss" else float(getattr(self, f"val_{metric}"))


@dataclass
class History:
    """The epochs of a training, and which one is the best: the one that `best/` holds."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = float("-inf")
    # of early stopping: the score that has to be beaten clearly, and for how many epochs it was not
    mark: float = float("-inf")
    waited: int = 0
    finished: bool = False

    def __len__(self) -> int:
        return len(self.epochs)

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> History:
        return cls(**state | {"epochs": [Epoch(**row) for row in state["epochs"]]})

    def add(self, row: Epoch, score: float, stop: Stop) -> bool:
        """Take note of an epoch and its score. Gives whether it is the best one so far."""
        self.epochs.append(row)
        self.waited = 0 if score > self.mark + stop.min_delta else self.waited + 1
        self.mark = score if self.waited == 0 else self.mark
        better = score > self.best_score
        if better:
            self.best_epoch, self.best_score = row.epoch, score
        return better

    def write(self, folder: Path) -> None:
        """history.csv, and curves.png where matplotlib is installed."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [each.name for each in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _short(value) for key, value in asdict(row).items()} for row in self.epochs)
        _write_for_people(folder / "history.csv", text.getvalue().encode())
        if plots_are_possible():
            _write_for_people(folder / "curves.png", _curves(self.epochs, self.best_epoch))


def _write_for_people(path: Path, data: bytes) -> None:
    """On Windows what a program has open can't be replaced, as a table in Excel: no reason to end a training."""
    try:
        write_whole(path, data)
    except TrainingError as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        again = "it is written after the next epoch, or when the same command is run again"
        logger.warning("%s can't be replaced: close it where it is open; %s", path, again)


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _curves(epochs: list[Epoch], best: int) -> bytes:
    """Loss and accuracy over the epochs. Lines differ in dash as well as colour."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(9, 3.6)
    numbers = [row.epoch for row in epochs]
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(
            numbers, [getattr(row, f"train_{what}") for row in epochs], "--", marker=".", label="training (augmented)"
        )
        axes.plot(numbers, [getattr(row, f"val_{what}") for row in epochs], "-", marker=".", label="validation")
        axes.axvline(best, color="grey", linewidth=0.8)
        axes.set(title=f"{what} (best epoch: {best})", xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return as_png(figure)


class TensorBoard:
    """TensorBoard's file of a training; without TensorBoard nothing is written, and the log says so once.

    torch's own writer has a thread of its own, whose errors can't be caught: a full disk would end a training there.
    """

    def __init__(self, folder: Path) -> None:
        self._file: Path | None = None
        try:
            from torch.utils.tensorboard import summary
        except ImportError:
            logger.info("no curves for TensorBoard: pip install 'facemotion[train]'")
            return
        self._summary = summary
        # the time puts the files of a training that was stopped in their order
        self._file = folder / f"events.out.tfevents.{time.time_ns() // 10**9:010}.{os.getpid()}"
        self._write(file_version="brain.Event:2")

    def epoch(self, row: Epoch) -> None:
        """The figures of an epoch."""
        if self._file is None:
            return
        for name, value in asdict(row).items():
            if name != "epoch":
                self._write(row.epoch, summary=self._summary.scalar(name, value))

    def confusion(self, epoch: int, confusion: NDArray[np.int64], labels: LabelSet) -> None:
        """With matplotlib, a picture of an epoch's confusion matrix."""
        if self._file is not None and plots_are_possible():
            with Image.open(io.BytesIO(confusion_plot(confusion, labels.labels))) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            self._write(epoch, summary=self._summary.image("confusion", pixels, dataformats="HWC"))

    def faces(self, sheet: Pixels) -> None:
        """A sheet of faces as the network is fed them."""
        if self._file is not None:
            self._write(summary=self._summary.image("augmented", sheet, dataformats="HWC"))

    def _write(self, step: int = 0, **what: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        if self._file is None:
            return
        record = io.BytesIO()
        RecordWriter(record).write(Event(wall_time=time.time(), step=step, **what).SerializeToString())
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(record.getvalue())
        except OSError as error:
            logger.warning("%s can't be written (%s): no more is written for TensorBoard", self._file, error.strerror)
            self._file = None
