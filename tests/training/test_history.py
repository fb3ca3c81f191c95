"""What people see of a training: TensorBoard's pictures and figures."""

from __future__ import annotations

import dataclasses
import io
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_patterns import Stopped, patterns, stop_in_second_epoch

from facemotion import LabelSet, Recipe
from facemotion.data.loaders import Loader
from facemotion.recipes.tables import Stop
from facemotion.training.folder import TrainingFolder
from facemotion.training.history import Epoch, History, TensorBoard
from facemotion.training.pictures import face_sheet
from facemotion.training.trainer import Trainer

ROW = Epoch(1, 0.1, 1.0, 0.5, 1.1, 0.45, 0.4, 2.0, 100.0)


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 1), ("macro_f1", 2), ("loss", 3), ("last", 4)], ids=str)
def test_a_recipe_says_what_the_best_epoch_is(metric: str, best: int) -> None:
    figures = [(0.9, 0.6, 0.5), (0.8, 0.7, 0.4), (0.7, 0.5, 0.3), (0.6, 0.4, 0.6)]
    history = History()
    for number, (accuracy, macro_f1, loss) in enumerate(figures, start=1):
        row = dataclasses.replace(ROW, epoch=number, val_accuracy=accuracy, val_macro_f1=macro_f1, val_loss=loss)
        history.add(row, row.score(metric), Stop())
    assert history.best_epoch == best


def board(folder: Path) -> dict[str, list[int]]:
    """The steps of everything that TensorBoard finds in a folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    read = accumulator.EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    found = {name: [each.step for each in read.Scalars(name)] for name in read.Tags()["scalars"]}
    for name in read.Tags()["images"]:
        found[name] = [each.step for each in read.Images(name)]
        Image.open(io.BytesIO(read.Images(name)[-1].encoded_image_string)).verify()
    return found


def test_tensorboard_reads_what_a_training_that_was_stopped_has_written(
    recipe: Recipe, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # however quick these epochs are: after each of them all is written, the picture of its confusion too
    monkeypatch.setattr("facemotion.training.folder._WRITING_TIMES", 0)
    with pytest.raises(Stopped):
        Trainer(recipe, out=out).fit(patterns(96, 1), patterns(48, 2), progress=stop_in_second_epoch)
    Trainer(recipe, out=out).fit(patterns(96, 1), patterns(48, 2))
    found = board(out / "tensorboard")
    assert found.pop("augmented") == [0]
    figures = {"lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_macro_f1"}
    assert figures | {"seconds", "faces_per_second", "confusion"} == found.keys()
    assert all(steps == [1, 2, 3] for steps in found.values())


def test_the_process_that_writes_says_when(tmp_path: Path) -> None:
    """The others, for whom it takes no time, would have all written after each epoch, however long that takes."""
    other = TrainingFolder(tmp_path, History(), LabelSet(("a", "b")), writes=False)
    other.write({})
    time.sleep(0.05)
    assert not other.is_due(epoch_is_over=True)


def test_a_matplotlib_that_can_not_be_loaded_costs_the_curves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "matplotlib" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("raise ImportError('DLL load failed')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(package.parent.parent)
    folder = tmp_path / "run"
    folder.mkdir()
    History([ROW]).write(folder)
    writer = TensorBoard(folder / "tensorboard")
    writer.confusion(1, np.eye(2, dtype=np.int64), LabelSet(("a", "b")))
    assert (folder / "history.csv").exists()
    assert not (folder / "curves.png").exists()


def test_a_table_that_is_open_elsewhere_does_not_end_a_training(
    recipe: Recipe, out: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As Windows treats what Excel has open; a disk that is full is another thing."""
    replace = Path.replace

    def locked(self: Path, target: Path) -> Path:
        if target.name in ("history.csv", "curves.png"):
            raise PermissionError(13, "The process cannot access the file", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", locked)
    Trainer(recipe, out=out).fit(patterns(96, 1), patterns(48, 2))
    assert "history.csv can't be replaced: close it where it is open" in caplog.text
    assert not list(out.glob("history.csv*"))
    monkeypatch.undo()
    assert len(Trainer(recipe, out=out).fit(patterns(96, 1), patterns(48, 2))) == recipe.epochs
    assert len((out / "history.csv").read_text().splitlines()) == 1 + recipe.epochs


def test_a_disk_that_is_full_costs_tensorboard_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    writer = TensorBoard(tmp_path / "tensorboard")
    writer.faces(np.zeros((8, 8, 3), np.uint8))
    writer.epoch(ROW)
    writer.confusion(1, np.eye(2, dtype=np.int64), LabelSet(("a", "b")))
    [message] = [record.message for record in caplog.records]
    assert "can't be written" in message
    assert "no more is written for TensorBoard" in message


def test_the_sheet_shows_faces_as_they_are_fed(recipe: Recipe) -> None:
    samples = patterns(40, 1)
    batch = next(iter(Loader(samples, recipe.input, batch_size=40, sampling="order").epoch(0)))
    sheet = face_sheet(batch, recipe.input)
    assert sheet.ndim == 3
    assert sheet.shape[1] == 8 * 26 + 2
    assert np.array_equal(sheet[34:58, 2:26, 0], samples.read(0))
