"""Files that are whole or not there at all: a training can be killed at any moment and lose no more than an epoch."""

from __future__ import annotations

import io
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import torch

from facemotion.claims import claim
from facemotion.errors import TrainingError, WeightsError

logger = logging.getLogger(__name__)

_FOLDER, _NAME = "checkpoints", "last.pt"
_PARTS = {"recipe", "resolved", "config", "data", "loop", "history", "sums"}
# how a training is started over, in messages
FRESH = '--fresh (in Python resume="never")'
# others have folders of that name, too
_MARK = ".facemotion"
# what a training writes over
WRITTEN = ("recipe.toml", "history.csv", "best")
_REMEDY = "what was saved before is whole; free some space and run the same command again"


def make_folder(folder: Path) -> None:
    """Make a folder, unless it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} can't be made ({error.strerror}): choose another --out") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that its name never stands for half of it, whatever happens meanwhile."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise not_written(path, error) from error


def not_written(path: Path, error: Exception) -> TrainingError:
    """What to say where a file or folder of a training can't be written."""
    why = error.strerror if isinstance(error, OSError) else error
    return TrainingError(f"{path} can't be written ({why}): {_REMEDY}")


def begin(folder: Path) -> IO[bytes]:
    """Make a training folder and leave a mark in it, before anything else is written there.

    Until the mark that is given is closed another training in the folder is a TrainingError.
    """
    make_folder(folder / _FOLDER)
    path = folder / _FOLDER / _MARK
    try:
        mark = path.open("a+b")
    except OSError as error:
        raise not_written(path, error) from error
    if claim(mark):
        return mark
    mark.close()
    raise TrainingError(f"{folder}: another training is at work in it: wait for its end, or choose another --out")


def has_begun(folder: Path) -> bool:
    """Whether a training made this folder its own, even if it never came to a checkpoint."""
    return (folder / _FOLDER / _MARK).is_file()


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Put a state in the place of the last one. It consists of tensors and plain values alone."""
    data = io.BytesIO()
    torch.save(state, data)
    make_folder(folder / _FOLDER)
    write_whole(folder / _FOLDER / _NAME, data.getvalue())


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The last state, None where there is none. Nothing in it can run code."""
    path = folder / _FOLDER / _NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damage shows as a different exception of torch's reader each time
        raise TrainingError(f"{path} is damaged ({type(error).__name__}: {error}): start anew with {FRESH}") from error
    if not isinstance(state, dict) or not state.keys() >= _PARTS:
        raise TrainingError(f"{path} is no checkpoint of a training of ours: choose another --out")
    return state


def replace_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Write a folder anew beside the old one and put it in its place."""
    fresh, old = folder.with_name(f".{folder.name}.new"), _replaced(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        write(fresh)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except (OSError, WeightsError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise not_written(folder, error) from error
    shutil.rmtree(old, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """After a kill in the middle of `replace_folder`: the old one in its place again."""
    old = _replaced(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)


def _replaced(folder: Path) -> Path:
    """Where a folder is for the moment that replacing it takes; hidden, so that it is nobody's copy."""
    return folder.with_name(f".{folder.name}.old")


def move_aside(folder: Path) -> None:
    """Rename a folder with an earlier training in it; whatever else a folder holds is not ours to move."""
    if not any((folder / name).exists() for name in (_FOLDER, *WRITTEN)):
        return
    if has_begun(folder):  # one that is at work there would write on into what comes after it
        begin(folder).close()
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    try:
        folder.rename(aside)
    except OSError as error:
        raise TrainingError(f"{folder} can't be moved aside ({error.strerror}): choose another --out") from error
    logger.info("the earlier training is kept in %s", aside)
