"""What a training leaves in its folder, and when: the best network, the checkpoint, the table, the curves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from facemotion.classifier import save_network
from facemotion.training.checkpoint import begin, replace_folder, save_checkpoint, write_whole
from facemotion.training.history import History, TensorBoard
from facemotion.training.pictures import face_sheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.backbones.network import EmotionNet
    from facemotion.data.loaders import Batch
    from facemotion.labels import LabelSet
    from facemotion.recipes.recipe import Recipe
    from facemotion.weights.spec import WeightsConfig

# a checkpoint within an epoch, for epochs that take longer
_CHECKPOINT_SECONDS = 120.0
# after an epoch nothing is written before so many times what writing took last have gone by, for epochs of a second
_WRITING_TIMES = 10


class TrainingFolder:
    """The folder of a training. Of several processes all have one; the first one writes, and says when."""

    def __init__(self, path: Path, history: History, labels: LabelSet, *, writes: bool) -> None:
        self._path, self._history, self._labels, self._writes = path, history, labels, writes
        self._mark: IO[bytes] | None = None
        self._board: TensorBoard | None = None
        # since all was written for the last time: the best network with what is told of it, and the last confusion
        self._best: tuple[EmotionNet, WeightsConfig] | None = None
        self._confusion: NDArray[Any] | None = None
        self._told = len(history)
        self._written, self._writing = time.monotonic(), 0.0

    def begin(self, recipe: Recipe) -> None:
        if not self._writes:
            return
        self._mark = begin(self._path)
        write_whole(self._path / "recipe.toml", recipe.to_toml().encode())
        if self._history.epochs:  # a kill may have come between the checkpoint and this
            self._history.write(self._path)
        if not self._history.finished:
            self._board = TensorBoard(self._path / "tensorboard")

    def close(self) -> None:
        """From here on another training may write into the folder."""
        if self._mark:
            self._mark.close()

    def show(self, batch: Batch, recipe: Recipe) -> None:
        """The first faces, for those who look at them."""
        if self._board:
            self._board.faces(face_sheet(batch, recipe.input))

    def keep(self, net: EmotionNet, config: WeightsConfig) -> None:
        """The best network so far, which is nobody else's from now on; it is written with the next checkpoint."""
        self._best = net, config

    def judged(self, confusion: NDArray[Any]) -> None:
        """An epoch has come to its end, and the history tells of it."""
        self._confusion = confusion

    def is_due(self, *, epoch_is_over: bool) -> bool:
        """Whether it is time for a checkpoint. A process that does not write has no idea of what writing takes."""
        wait = _WRITING_TIMES * self._writing if epoch_is_over else _CHECKPOINT_SECONDS
        return self._writes and time.monotonic() - self._written > wait

    def write(self, state: dict[str, Any]) -> None:
        """The best network, then the checkpoint that tells of it, then what people look at."""
        started = time.monotonic()
        if self._writes:
            self._write_best()
            save_checkpoint(self._path, state)
            self._write_history()
        self._written = time.monotonic()
        self._writing = self._written - started

    def _write_best(self) -> None:
        if self._best is None:
            return
        (net, config), name = self._best, f"{self._path.resolve().name}/best"
        replace_folder(self._path / "best", lambda folder: save_network(net, config, folder, name=name))
        self._best = None

    def _write_history(self) -> None:
        if self._confusion is None:
            return
        self._history.write(self._path)
        if self._board:
            for row in self._history.epochs[self._told :]:
                self._board.epoch(row)
            self._board.confusion(len(self._history), self._confusion, self._labels)
        self._confusion, self._told = None, len(self._history)
