"""How many frames of 640 x 480 with one face come out a second: ours by default, and the library `fer`, in turns.

    python benchmarks/frames_a_second.py [--weights NAME] [--fer-python PATH] [--rounds 20] [--frames 20]

PATH is the Python of an environment with fer 25.10.3 in it, which takes 7.5 GB; without it ours alone is measured. Each
is given the same pixels in memory and gives boxes with the scores of all emotions. A round is so many frames of the
one, then as many of the other. The processor's time is what our process used: on a shared machine the clock says less.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from facemotion import EmotionRecognizer
from facemotion.images import read_image
from facemotion.opencv import cv2
from facemotion.weights.catalogue import DEFAULT_WEIGHTS

ASTRONAUT = Path(__file__).resolve().parent.parent / "examples" / "images" / "astronaut.jpg"

# what the other environment runs: a round for every line that it is sent
FER = """
import sys, time
import numpy as np
from fer.fer import FER
frame, count = np.load(sys.argv[1]), int(sys.argv[2])
detector = FER()
faces = detector.detect_emotions(frame)
print("faces", len(faces), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(count):
        detector.detect_emotions(frame)
    print("seconds", time.perf_counter() - start, flush=True)
"""


class Other:
    """fer in a process of its own."""

    def __init__(self, python: Path, frame: Path, count: int) -> None:
        command = [str(python), "-c", FER, str(frame), str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer("faces") >= 1, "fer does not find the face"

    def round(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer("seconds")

    def _answer(self, name: str) -> float:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(name):
                return float(line.split()[1])
        raise SystemExit("fer ended")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=DEFAULT_WEIGHTS)
    parser.add_argument("--fer-python", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=20)
    arguments = parser.parse_args()

    # the portrait at its own proportions, on a frame of a camera
    rgb = np.full((480, 640, 3), 110, np.uint8)
    rgb[:, 80:560] = cv2.resize(read_image(ASTRONAUT), (480, 480), interpolation=cv2.INTER_AREA)
    recognizer = EmotionRecognizer.from_pretrained(arguments.weights, device="cpu")
    for _ in range(3):
        assert len(recognizer.predict(rgb)) == 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.npy"
        np.save(path, np.ascontiguousarray(rgb[..., ::-1]))  # fer takes OpenCV's order
        other = Other(arguments.fer_python, path, arguments.frames) if arguments.fer_python else None
        rows, work = [], []
        for _ in range(arguments.rounds):
            start, worked = time.perf_counter(), time.process_time()
            for _ in range(arguments.frames):
                recognizer.predict(rgb)
            work.append(time.process_time() - worked)
            rows.append((time.perf_counter() - start, other.round() if other else float("nan")))
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, Python {platform.python_version()}"
    print(f"{machine}, torch {torch.__version__}, OpenCV {cv2.__version__}, {len(rows)} rounds of {arguments.frames}")
    for name, column in zip(("facemotion", "fer"), zip(*rows, strict=True), strict=True):
        seconds = [each / arguments.frames for each in column]
        if name == "facemotion" or other:
            median, least = statistics.median(seconds), min(seconds)
            text = f"{name:<11} {1000 * median:6.2f} ms a frame, {1 / median:6.1f} frames/s"
            print(f"{text} (best round {1000 * least:.2f} ms)")
    print(f"facemotion's processor time: {1000 * statistics.median(work) / arguments.frames:.2f} ms a frame")
    if other:
        print(f"ratio       {statistics.median(theirs / ours for ours, theirs in rows):6.2f}, median of the rounds")


if __name__ == "__main__":
    sys.exit(main())
