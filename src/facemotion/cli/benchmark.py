"""`facemotion benchmark`: how long every step takes on this machine, and how many frames a second come out."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facemotion.cli.progress import Progress
from facemotion.cli.recognition import load_recognizer, quiet_opencv, recognizer_options
from facemotion.version import __version__

if TYPE_CHECKING:
    from facemotion.recognizer import EmotionRecognizer
    from facemotion.results import Pixels

_SIZES = ((320, 240), (640, 480), (1280, 720))
_FACES = (1, 4, 16)
_ROUNDS = 40
_STEPS = ("reading", "detection", "cropping", "classification", "drawing")


@click.command(epilog="Example: facemotion benchmark --json")
@recognizer_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def benchmark(weights: str, detector: str, device: str, as_json: bool) -> None:
    """Measure reading, detection, cropping, classification and drawing, and whole frames a second.

    On clips of 320, 640 and 1280 pixels with 1, 4 and 16 drawn faces. Times are medians in milliseconds a frame; the
    frames a second are those of `recognizer.stream`, which reads while it recognises, and draws nothing.
    """
    quiet_opencv()
    recognizer = load_recognizer(weights, detector, device)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Progress("clips") as progress:
        for size in _SIZES:
            for count in _FACES:
                rows.append(_measure(recognizer, Path(folder) / "clip.mp4", size, count))
                progress(len(rows), len(_SIZES) * len(_FACES))
    report = {**_machine(recognizer, weights), "rows": rows, "peak_memory_mb": _peak_memory()}
    click.echo(json.dumps(report, indent=2) if as_json else _text(report))


def _measure(recognizer: EmotionRecognizer, path: Path, size: tuple[int, int], count: int) -> dict[str, Any]:
    from facemotion.crops import cut
    from facemotion.drawing import draw
    from facemotion.video.frames import read_frames
    from facemotion.video.writing import ClipWriter

    picture = drawn_faces(size, count)
    with ClipWriter(path, 30.0) as writer:
        for index in range(_ROUNDS):
            writer.write(picture, index / 30)
    faces = recognizer.predict(picture)
    spec = recognizer.classifier.config.input
    crops = cut(picture, faces, spec)
    for _ in recognizer.stream([picture]):  # what a stream needs is imported by the first one
        pass
    started = time.perf_counter()
    streamed = sum(1 for _ in recognizer.stream(path))
    seconds = time.perf_counter() - started
    frames = read_frames(path)
    steps: dict[str, Callable[[], object]] = {
        "reading": lambda: next(frames),
        "detection": lambda: recognizer.detector.detect(picture),
        "cropping": lambda: cut(picture, faces, spec),
        "classification": lambda: recognizer.classifier.probabilities(crops),
        "drawing": lambda: draw(picture, faces),
    }
    row = {"width": size[0], "height": size[1], "faces": count, "faces_found": len(faces)}
    return row | {name: milliseconds(step, _ROUNDS) for name, step in steps.items()} | {"fps": streamed / seconds}


def milliseconds(step: Callable[[], object], rounds: int) -> float:
    """The time of a step, the median of so many."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def drawn_faces(size: tuple[int, int], count: int) -> Pixels:
    """A picture with faces in rows, drawn, so that no photograph has to be at hand; detectors take them for faces."""
    import numpy as np

    width, height = size
    picture = np.full((height, width, 3), 120, np.uint8)
    columns = round(count**0.5)
    cell_width, cell_height = width // columns, height // columns
    side = min(cell_width, cell_height) * 5 // 6
    face = _drawn_face(side)
    for number in range(count):
        x = number % columns * cell_width + (cell_width - side) // 2
        y = number // columns * cell_height + (cell_height - side) // 2
        picture[y : y + side, x : x + side] = face
    return picture


def _drawn_face(side: int) -> Pixels:
    import numpy as np

    from facemotion.opencv import cv2

    face = np.full((256, 256), 150, np.uint8)

    def ellipse(centre: tuple[int, int], half: tuple[int, int], turn: tuple[int, int], grey: int, line: int) -> None:
        cv2.ellipse(face, centre, half, 0, *turn, grey, line)

    whole, filled = (0, 360), -1
    ellipse((128, 125), (86, 116), whole, 70, filled)  # hair
    ellipse((128, 138), (72, 98), whole, 200, filled)  # face
    for x in (98, 158):
        ellipse((x, 120), (17, 9), whole, 245, filled)
        ellipse((x, 120), (8, 8), whole, 40, filled)
        ellipse((x, 103), (22, 6), (180, 360), 70, 4)  # brow
    cv2.line(face, (128, 122), (122, 158), 165, 4)  # nose
    ellipse((128, 160), (14, 6), (0, 180), 120, 4)
    ellipse((128, 188), (28, 10), (0, 180), 110, filled)  # mouth
    soft = cv2.resize(cv2.GaussianBlur(face, (0, 0), 3), (side, side), interpolation=cv2.INTER_AREA)
    pixels: Pixels = np.repeat(soft[..., None], 3, axis=2)
    return pixels


def _machine(recognizer: EmotionRecognizer, weights: str) -> dict[str, Any]:
    import torch

    from facemotion.opencv import cv2

    return {
        "facemotion": __version__,
        "weights": weights,
        "detector": getattr(recognizer.detector, "name", type(recognizer.detector).__name__),
        "device": str(recognizer.classifier.device),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "rounds": _ROUNDS,
    }


def _peak_memory() -> float | None:
    """The most memory that this process ever had, in MB; None on Windows, which does not tell it this way."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3


def _text(report: dict[str, Any]) -> str:
    lines = [
        "facemotion {facemotion}, {weights} with {detector} on {device}, {threads} threads, {machine}; "
        "Python {python}, torch {torch}, OpenCV {opencv}; medians of {rounds} frames".format(**report),
        f"{'':<11}  {'':>5}  {'milliseconds a frame':<{13 * len(_STEPS)}}",
        f"{'SIZE':<11}{'FACES':>7}" + "".join(f"{name.upper():>16}" for name in (*_STEPS, "FRAMES/S")),
    ]
    for row in report["rows"]:
        numbers = "".join(f"{row[name]:>16.2f}" for name in _STEPS)
        faces = str(row["faces"]) if row["faces"] == row["faces_found"] else f"{row['faces_found']}/{row['faces']}"
        lines.append(f"{row['width']:>4} x {row['height']:<4}{faces:>7}{numbers}{row['fps']:>16.1f}")
    memory = report["peak_memory_mb"]
    lines.append(f"peak memory: {memory:.0f} MB" if memory else "peak memory: this system does not tell it")
    return "\n".join(lines)
