"""`facemotion doctor`: what is installed here, what works, and the line that mends what does not."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from facemotion.cli.benchmark import milliseconds
from facemotion.cli.window import window_toolkit
from facemotion.errors import DownloadError, FacemotionError, MissingExtraError
from facemotion.registry import Registry
from facemotion.version import __version__

if TYPE_CHECKING:
    from facemotion.detectors.detector import FaceDetector

Row = tuple[str, str]

# the packages of each extra; the module of each is called so, too
_EXTRAS = {
    "train": ("matplotlib", "tensorboard"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "ray": ("ray", "pyarrow"),
}


class _Report:
    """What the checks found: printed as it comes, with the problems and their remedies gathered for the end."""

    def __init__(self) -> None:
        self.problems: list[Row] = []

    def section(self, title: str, rows: Callable[[_Report], Iterator[Row]]) -> None:
        click.secho(title, bold=True)
        for name, value in rows(self):
            click.echo(f"  {name:<18} {value}")

    def problem(self, what: str, remedy: str) -> str:
        self.problems.append((what, remedy))
        return what


@click.command(epilog="Example: facemotion doctor")
def doctor() -> int:
    """Show what is installed here, what works, and what would mend the rest. Exits 1 where something is broken."""
    report = _Report()
    report.section("Versions", _versions)
    report.section("Processors", _processors)
    report.section("OpenCV", _opencv)
    report.section("Detectors", _detectors)
    report.section("Backbones", lambda report: _plugins(Registry("facemotion.backbones", "backbone"), report))
    report.section("Weights", _weights)
    report.section("Extras", _extras)
    for what, remedy in report.problems:
        click.secho(f"! {what}", fg="red")
        click.echo(f"  mend it: {remedy}")
    if not report.problems:
        click.secho("Everything works.", fg="green")
    return 1 if report.problems else 0


def _versions(report: _Report) -> Iterator[Row]:
    yield "facemotion", __version__
    yield "python", f"{platform.python_version()} on {platform.platform(terse=True)}"
    for name in _requirements():
        try:
            yield name, version(name)
        except PackageNotFoundError:
            if name == "opencv-python":  # one of its other builds may stand in for it
                yield name, _opencv_build() or report.problem("opencv-python is missing", "pip install opencv-python")
            else:
                yield name, report.problem(f"{name} is missing", f"pip install {name}")


def _requirements() -> list[str]:
    try:
        lines = requires("facemotion") or []
    except PackageNotFoundError:
        raise FacemotionError(
            "facemotion itself is not installed here: run `pip install -e .` in its checkout"
        ) from None
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _opencv_build() -> str | None:
    for name in ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"):
        try:
            return f"{version(name)} ({name})"
        except PackageNotFoundError:
            continue
    return None


def _processors(report: _Report) -> Iterator[Row]:
    from facemotion.devices import available_devices, cpu_threads

    yield "CPU threads", str(cpu_threads())
    try:
        yield "devices", ", ".join(available_devices())
    except ImportError as error:
        yield (
            "devices",
            report.problem(f"torch can't be loaded ({error})", "pip install --force-reinstall torch torchvision"),
        )


def _opencv(report: _Report) -> Iterator[Row]:
    try:
        from facemotion.opencv import cv2
    except ImportError as error:
        cause, _, remedy = str(error).rpartition(": ")
        yield "OpenCV", report.problem(cause, remedy)
        return
    yield "major version", cv2.__version__.split(".")[0]
    yield "windows", _windows(cv2.getBuildInformation())


def _windows(build: str) -> str:
    toolkit = window_toolkit(build)
    if toolkit is None:
        return "none: this is a headless build; the webcam's window needs opencv-python"
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return f"can't be opened here: no display (DISPLAY is not set); built for {toolkit}"
    return f"can be opened ({toolkit})"


def _detectors(report: _Report) -> Iterator[Row]:
    from facemotion.detectors.detector import DETECTORS, FaceDetector, automatic

    yield from _plugins(DETECTORS, report)
    try:
        name = automatic(fetch=False)
        yield "auto is", f"{name}: {_milliseconds(FaceDetector(name)):.1f} ms for a picture of 640 x 480"
    except MissingExtraError:
        yield "auto is", "none: OpenCV can't be loaded"
    except DownloadError:
        yield "auto is", "yunet, which is not here yet: it is fetched when first used"
    except FacemotionError:
        yield "auto is", "none: its file is damaged, as told below"


def _milliseconds(detector: FaceDetector) -> float:
    """The time of one detection, after a first one, which also sets things up."""
    import numpy as np

    picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    detector.detect(picture)
    return milliseconds(lambda: detector.detect(picture), 7)


def _weights(report: _Report) -> Iterator[Row]:
    from facemotion.weights.catalogue import catalogue
    from facemotion.weights.store import locate, where

    for name, entry in catalogue().entries.items():
        place = where(entry)
        if place is None and entry.repo:
            yield name, f"not here: facemotion weights fetch {name}"
            continue
        try:
            place = locate(entry, local_files_only=True)
            yield name, "in the package" if entry.folder and place.is_relative_to(entry.folder) else f"cached: {place}"
        except FacemotionError as error:
            what = f"{name} is {'damaged' if place else 'missing'}: {error}"
            again = f"move {place} away, then facemotion weights fetch {name}"
            yield name, report.problem(what, again if entry.repo else "reinstall facemotion")


def _plugins(registry: Registry, report: _Report) -> Iterator[Row]:
    for name in registry.names():
        owners = registry.distributions(name)
        clash = f"{registry.kind} {name!r} is claimed by {' and '.join(owners)}"
        yield name, owners[0] if len(owners) == 1 else report.problem(clash, "uninstall all but one")


def _extras(report: _Report) -> Iterator[Row]:
    for extra, packages in _EXTRAS.items():
        missing = [package for package in packages if find_spec(package) is None]
        yield extra, f"without {', '.join(missing)}: pip install 'facemotion[{extra}]'" if missing else "installed"
