"""What happened, epoch by epoch: a table, curves where matplotlib is there, TensorBoard where that is."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facemotion.evaluation.metrics import row_shares
from facemotion.evaluation.plots import as_png, new_figure
from facemotion.recipes.recipe import Stop
from facemotion.training.checkpoint import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        write_whole(folder / "history.csv", text.getvalue().encode())
        try:
            import matplotlib
        except ImportError:
            return
        write_whole(folder / "curves.png", _curves(self.epochs, self.best_epoch, matplotlib))


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _curves(epochs: list[Epoch], best: int, matplotlib: Any) -> bytes:
    """Loss and accuracy over the epochs. Lines differ in dash as well as colour."""
    figure = new_figure(9, 3.6)
    numbers = [row.epoch for row in epochs]
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(numbers, [getattr(row, f"train_{what}") for row in epochs], "--", label="training (augmented)")
        axes.plot(numbers, [getattr(row, f"val_{what}") for row in epochs], "-", label="validation")
        axes.axvline(best, color="grey", linewidth=0.8)
        axes.set(title=f"{what} (best epoch: {best})", xlabel="epoch")
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return as_png(figure)


class TensorBoard:
    """A writer of TensorBoard's files; without TensorBoard it does nothing, and the log says so once."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            logger.info("no curves for TensorBoard: pip install 'facemotion[train]'")
            self._writer = None
        else:
            self._writer = SummaryWriter(str(folder))

    def epoch(self, row: Epoch, confusion: NDArray[Any]) -> None:
        """The figures of an epoch, and the confusion matrix as a picture (rows: truth, dark: many)."""
        if self._writer is None:
            return
        for name, value in asdict(row).items():
            if name != "epoch":
                self._writer.add_scalar(name, value, row.epoch)
        dark = (255 * (1 - row_shares(confusion))).astype("uint8")
        self._writer.add_image("confusion", dark.repeat(24, 0).repeat(24, 1), row.epoch, dataformats="HW")
        self._writer.flush()

    def faces(self, sheet: NDArray[Any]) -> None:
        """A sheet of faces as the network is fed them."""
        if self._writer is not None:
            self._writer.add_image("augmented", sheet, dataformats="HWC")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
