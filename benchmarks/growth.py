"""How do time and memory grow with the faces in a frame, the frames of a clip, and the images in a folder?

    python benchmarks/growth.py [--of frames images] [--most 50000] [--rounds 5] [--json FILE]

Faces: `predict` of different frames of 1280 x 960, in turn. Frames and images: `facemotion video` and `facemotion
predict` with a table, each a process of its own, once; what one more takes is counted from the smallest on, so without
the start.
The clip shows four different frames of 320 x 240 over and over, moved a little each time; the folder holds links to
pictures like these, so that 50,000 take no more room than 20.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Command, different_frames, in_turn, machine, options, report, seconds

from facemotion import EmotionRecognizer
from facemotion.images import write_jpeg
from facemotion.opencv import cv2

FACES = (1, 2, 4, 8, 16, 32, 64)
FRAMES = (100, 1_000, 5_000, 20_000)
IMAGES = (100, 1_000, 10_000, 50_000)
SMALL = (320, 240)


def main() -> None:
    kinds = ("faces", "frames", "images")
    arguments = options(
        __doc__,
        rounds=5,
        most={"type": int, "default": 50_000, "help": "leave out what is larger"},
        of={"nargs": "+", "choices": kinds, "default": kinds, "help": "which of the three"},
    )
    rows = list(faces(arguments.rounds)) if "faces" in arguments.of else []
    for what, sizes, make, command in (
        ("frames of a clip", FRAMES, clip, "video"),
        ("images in a folder", IMAGES, folder, "predict"),
    ):
        if what.split()[0] not in arguments.of:
            continue
        rows += grown(what, [size for size in sizes if size <= arguments.most], make, command)
    report("Growth", machine(arguments.threads), rows, arguments.json)


def faces(rounds: int) -> Iterator[dict[str, Any]]:
    recognizer = EmotionRecognizer.from_pretrained(device="cpu")
    frames = {count: different_frames((1280, 960), count, 4) for count in FACES}
    found = {count: sum(len(recognizer.predict(frame)) for frame in frames[count]) / 4 for count in FACES}

    def predicted(count: int) -> Callable[[], float]:
        return lambda: sum(seconds(lambda frame=frame: recognizer.predict(frame)) for frame in frames[count]) / 4

    taken = in_turn({str(count): predicted(count) for count in FACES}, rounds)
    least = statistics.median(taken["1"])
    for count in FACES:
        median = statistics.median(taken[str(count)])
        more = 1000 * (median - least) / (found[count] - found[1]) if count > 1 else None
        yield row("faces in a frame", f"{count} ({found[count]:.3g} found)", median, more, None)


def grown(what: str, sizes: list[int], make: Callable[[Path, int], Path], command: str) -> Iterator[dict[str, Any]]:
    first: tuple[int, float] | None = None
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            source = make(Path(scratch), size)
            table = Path(scratch) / "table.csv"
            run = Command(sys.executable, "-m", "facemotion", command, source, "--csv", table)
            taken = run()
            lines = sum(1 for _ in table.open()) - 1
            assert lines >= size, f"{lines} rows for {size} {what}"
        more = 1000 * (taken - first[1]) / (size - first[0]) if first else None
        first = first or (size, taken)
        yield row(what, f"{size:,}", taken, more, run.megabytes)


def row(what: str, count: str, taken: float, more: float | None, megabytes: float | None) -> dict[str, Any]:
    return {"growing": what, "count": count, "s": taken, "ms for one more": more, "peak memory, MB": megabytes}


def clip(scratch: Path, size: int) -> Path:
    path = scratch / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, SMALL)
    frames = different_frames(SMALL, 1, 4)[..., ::-1]
    for number in range(size):
        writer.write(np.ascontiguousarray(np.roll(frames[number % 4], number % 16, axis=1)))
    writer.release()
    return path


def folder(scratch: Path, size: int) -> Path:
    originals, path = scratch / "originals", scratch / "images"
    originals.mkdir()
    path.mkdir()
    for number, frame in enumerate(different_frames(SMALL, 1, 20)):
        write_jpeg(originals / f"{number}.jpg", frame)
    for number in range(size):
        os.link(originals / f"{number % 20}.jpg", path / f"{number:06}.jpg")
    return path


if __name__ == "__main__":
    main()
