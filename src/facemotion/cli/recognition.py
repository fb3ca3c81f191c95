"""What the commands that recognise emotions share: their options, and the recognizer that these ask for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from facemotion.cli.paths import FILE, FOLDER
from facemotion.errors import FacemotionError
from facemotion.file_names import input_path
from facemotion.weights.catalogue import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from facemotion.recognizer import EmotionRecognizer

_Command = TypeVar("_Command", bound="Callable[..., object]")


def recognizer_options(command: _Command) -> _Command:
    """--weights, --detector and --device."""
    options = (
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps ..."),
        click.option("--detector", metavar="NAME", default="auto", show_default=True, help="What finds the faces."),
        click.option(
            "--weights",
            metavar="NAME",
            default=DEFAULT_WEIGHTS,
            show_default=True,
            help="A name of `facemotion weights list`, a weights folder, or owner/repo of the hub.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def load_recognizer(weights: str, detector: str, device: str) -> EmotionRecognizer:
    """The recognizer with its detector, so that a wrong name is said before the work begins."""
    from facemotion.recognizer import EmotionRecognizer

    recognizer = EmotionRecognizer.from_pretrained(weights, detector=detector, device=device)
    logging.getLogger(__name__).info("detector %s", recognizer.detector)
    return recognizer


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from writing to stderr what an error of ours says in one line. Before cv2 is imported."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def csv_option(told: str) -> Callable[[_Command], _Command]:
    """--csv."""
    return click.option("--csv", "csv_file", type=FILE, callback=_table_path, metavar="FILE", help=told)


def folder_option(name: str, told: str) -> Callable[[_Command], _Command]:
    """A folder that pictures are written to."""
    return click.option(name, type=FOLDER, callback=_folder_path, metavar="DIR", help=told)


def _table_path(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """No picture or clip: a shell's pattern puts one of those where the table's name was forgotten."""
    if value is not None and _is_picture_or_clip(value):
        raise click.BadParameter(f"expected the name of a table, got {str(value)!r}")
    return value


def _folder_path(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """No picture or clip: who names one means a file, and would find a folder of that name."""
    if value is not None and not value.is_dir() and _is_picture_or_clip(value):
        raise click.BadParameter(f"expected a folder for the pictures, got {str(value)!r}")
    return value


def _is_picture_or_clip(path: Path) -> bool:
    from facemotion.data.clips import is_clip
    from facemotion.images import PICTURE_SUFFIXES

    return path.suffix.lower() in PICTURE_SUFFIXES or is_clip(path)


def mp4_path(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Of an option: a file that ends in .mp4."""
    if value is not None and value.suffix.lower() != ".mp4":
        raise click.BadParameter(f"expected a file that ends in .mp4, got {str(value)!r}")
    return value


def refuse_to_overwrite(inputs: Iterable[str | Path], outputs: Iterable[tuple[str, Path | None]]) -> None:
    """An error where a file that is read would be written too, whatever name it has there, or one be written twice.

    outputs: options of the command, each with a file that it writes, or with None where it was not given.
    """
    # FFmpeg takes a path with this before it for the path
    read = {identity(input_path(str(path).removeprefix("file:"))) for path in inputs} - {None}
    written: dict[Path, str] = {}
    for option, path in outputs:
        if not path:
            continue
        if identity(path) in read:
            raise FacemotionError(f"{option} would write over {path}, which is to be read; name another place")
        first = written.setdefault(path.resolve(), option)
        if first != option:
            raise FacemotionError(f"{option} would write over {path}, as {first} does; name another place")


def identity(path: Path) -> tuple[int, int] | None:
    """What two names of one file have in common; None where there is no file."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_dev, found.st_ino
