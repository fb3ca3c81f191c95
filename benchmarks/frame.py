"""How many frames a second come out, of 640 x 480 with 1, 4 and 16 faces and of 1280 x 720 with one?

    python benchmarks/frame.py [--fer-python PATH] [--yunet FILE] [--rounds 7] [--threads 2] [--json FILE]

Ours by `predict`, with and without onnxruntime and with YuNet instead of its own detector, against fer by default
(tflite and Haar's cascade) and with MTCNN. All are given the same frames, in memory; no two are alike, and nothing is
kept from one to the next. A round is all frames by each of them in turn. --yunet: the detector's file, where the hub's
cache has none.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Worker, different_frames, in_turn, machine, options, report, times_as_many

from facemotion.weights.catalogue import catalogue
from facemotion.weights.store import where

SCENES = (((640, 480), 1), ((640, 480), 4), ((640, 480), 16), ((1280, 720), 1))
OURS, THEIRS = "facemotion", "fer"


def main() -> None:
    arguments = options(
        __doc__,
        rounds=7,
        other=True,
        yunet={"type": Path},
        without={"nargs": "*", "default": [], "help": "contestants that are left out, by the names in the table"},
        frames={"type": int, "default": 12},
    )
    with tempfile.TemporaryDirectory() as folder:
        caches = {"HF_HUB_CACHE": str(cached(arguments.yunet, Path(folder)))} if arguments.yunet else {}
        contestants: dict[str, tuple[str, Path | None, dict[str, str]]] = {
            OURS: ("frames_by_us:auto", None, {}),
            "facemotion without onnxruntime": ("frames_without_onnxruntime:auto", None, {}),
        }
        if caches or where("yunet"):
            contestants["facemotion, yunet"] = "frames_by_us:yunet", None, caches
        if arguments.fer_python:
            contestants[THEIRS] = "frames_by_fer:haar", arguments.fer_python, {}
            contestants["fer, MTCNN"] = "frames_by_fer:mtcnn", arguments.fer_python, {}
        contestants = {name: each for name, each in contestants.items() if name not in arguments.without}
        rows = []
        for size, faces in SCENES:
            data = Path(folder) / "frames.npy"
            np.save(data, different_frames(size, faces, arguments.frames))
            rows += measured(f"{size[0]} x {size[1]}", faces, contestants, data, arguments)
    title = f"Frames a second, {arguments.rounds} rounds of {arguments.frames} different frames in turn"
    report(title, machine(arguments.threads), rows, arguments.json)


def measured(
    size: str, faces: int, contestants: dict[str, tuple[str, Path | None, dict[str, str]]], data: Path, arguments: Any
) -> list[dict[str, Any]]:
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(closing(Worker(kind, data, arguments.threads, python, **env)))
            for name, (kind, python, env) in contestants.items()
        }
        taken = in_turn(workers, arguments.rounds)
        found = {name: worker.found for name, worker in workers.items()}
    rows = []
    for name, seconds in taken.items():
        each = statistics.median(seconds) / arguments.frames
        row = {"frame": size, "faces": faces, "by": name, "faces found": found[name], "ms": 1000 * each}
        row |= {"frames/s": 1 / each, "best ms": 1000 * min(seconds) / arguments.frames}
        row["times fer's frames/s"] = times_as_many(taken[THEIRS], seconds) if THEIRS in taken else None
        rows.append(row)
    return rows


def cached(file: Path, folder: Path) -> Path:
    """A hub cache with nothing but this file in it; its bytes are checked like any others."""
    entry = catalogue().find("yunet")
    [name] = entry.files
    snapshot = folder / "hub" / f"models--{str(entry.repo).replace('/', '--')}" / "snapshots" / str(entry.revision)
    snapshot.mkdir(parents=True)
    shutil.copy(file, snapshot / name)
    return folder / "hub"


if __name__ == "__main__":
    main()
