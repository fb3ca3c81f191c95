"""What the benchmarks share: rounds in turn, medians, a table and JSON, the machine and the versions."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from facemotion.devices import cpu_threads
from facemotion.images import read_image
from facemotion.opencv import cv2

ROOT = Path(__file__).resolve().parent.parent
ASTRONAUT = ROOT / "examples" / "images" / "astronaut.jpg"
_WORKER = Path(__file__).with_name("worker.py")
_PACKAGES = ("facemotion", "numpy", "opencv-python", "onnxruntime", "torch")


def options(text: str | None, *, rounds: int, other: bool = False, **more: dict[str, Any]) -> argparse.Namespace:
    """The command line that all benchmarks have, and what one of them has besides."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each is measured, in turn")
    parser.add_argument("--threads", type=int, default=cpu_threads(), help="processors for each of them")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    if other:
        parser.add_argument("--fer-python", type=Path, help="the Python of an environment with fer; else ours alone")
    for name, settings in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)
    return parser.parse_args()


def in_turn(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every round, so that a slow moment of the machine falls on all."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            taken[name].append(measure())
    return taken


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def times_as_many(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """How many of ours are done in the time of one of theirs: the median over the rounds."""
    return statistics.median(other / own for other, own in zip(theirs, ours, strict=True))


def machine(threads: int) -> dict[str, Any]:
    """On what, with which versions, and beside how much other work a benchmark runs."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        **{name: found for name in _PACKAGES if (found := _version(name))},
    }


def report(title: str, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], target: Path | None) -> None:
    """Print a Markdown table, and write all of it as JSON where a file was named."""
    print(f"\n{title}\n{', '.join(f'{name} {value}' for name, value in about.items())}\n")
    columns = list(rows[0])
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(_cell(row[column]) for column in columns)} |")
    if target:
        target.write_text(json.dumps({"title": title, **about, "rows": list(rows)}, indent=2) + "\n")


class Command:
    """A command line that is run and waited for. megabytes: the most memory that it ever had, where Linux tells it."""

    def __init__(self, *command: str | Path) -> None:
        self._command = list(map(str, command))
        self.megabytes: float | None = None

    def __call__(self) -> float:
        start = time.perf_counter()
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        watching = threading.Thread(target=self._watch, args=(process,))
        watching.start()
        process.wait()
        taken = time.perf_counter() - start
        watching.join()
        if process.returncode:
            raise SystemExit(f"{' '.join(self._command)} ended with {process.returncode}")
        return taken

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """The peak that the system keeps of the process, asked for until it ends.

        What wait4 tells afterwards begins with the memory of the process that started it.
        """
        status = Path(f"/proc/{process.pid}/status")
        # until the new program is there, this is still ours
        time.sleep(0.005)
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            peaks = [int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")]
            self.megabytes = max([self.megabytes or 0.0, *peaks]) or None
            time.sleep(0.01)


class Worker:
    """A contestant in a process of its own, by its own Python, on so many processors: see worker.py."""

    def __init__(self, kind: str, data: Path, threads: int, python: Path | None = None, **env: str) -> None:
        limits = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads))
        self._process = subprocess.Popen(
            [str(python or sys.executable), str(_WORKER), kind, str(data), str(threads)],
            env=os.environ | limits | {"TF_CPP_MIN_LOG_LEVEL": "3"} | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # what came of a first look at all that it is given
        self.found = self._answer()

    def __call__(self) -> float:
        """Seconds for all that it was given."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("worker: "):
                return float(line.split()[1])
        raise SystemExit(f"{' '.join(map(str, self._process.args))} ended; run it by hand to see why")


def different_frames(size: tuple[int, int], faces: int, count: int) -> np.ndarray:
    """Frames (count, H, W, 3) with so many faces in rows, no two alike: places, light and noise are drawn anew."""
    random = np.random.default_rng(0)
    width, height = size
    columns = int(np.ceil(faces**0.5))
    cell_width, cell_height = width // columns, height // -(-faces // columns)
    side = min(cell_width, cell_height) * 19 // 20
    # alone in a frame the whole portrait, among others her head, the closer the more there are
    portrait = read_image(ASTRONAUT)
    portrait = portrait if faces == 1 else portrait[20:260, 105:345] if faces <= 16 else portrait[30:210, 134:314]
    face = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    frames = np.full((count, height, width, 3), 110, np.uint8)
    for frame in frames:
        for number in range(faces):
            x = number % columns * cell_width + random.integers(cell_width - side + 1)
            y = number // columns * cell_height + random.integers(cell_height - side + 1)
            light = face * random.uniform(0.85, 1.1) + random.normal(0, 3, face.shape[:2])[..., None]
            frame[y : y + side, x : x + side] = light.clip(0, 255)
    return frames


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
