"""Frames at the network's size, composed once and kept on disk: training then only reads them.

python frames.py --assets ASSETS --cache CACHE --frames 24000
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
from compose import Parts, background, composed, cut, finish, paste, place, uncovered, visible, window, without_faces
from emblems import sprinkle
from pictures import Label, read_fer, read_pictures, split

WIDTH, HEIGHT = 384, 288
MOST_FACES = 32
MIX = {"composed": 0.24, "many": 0.26, "natural": 0.2, "filling": 0.05, "touching": 0.06, "empty": 0.19}
SPRINKLED = 0.4  # of the frames have things in them that are made like faces and are none
OUT_OF_FOCUS = 0.5  # of the frames without a face
SMALLEST = 7  # pixels of the network's frame below which a face is "don't care"
SEED = 20261120


def close_up(
    rng: np.random.Generator, parts: Parts, width: int, height: int, touching: bool
) -> tuple[np.ndarray, list[Label]]:
    """One face that fills the frame (90% of the short side), or a large one cut by the frame's border."""
    frame, _ = background(rng, parts, width, height, kinds={"negative": 1.0})
    image, face = cut(rng, parts, kinds={"portrait": 0.6, "scene": 0.4})
    span = face.box[2:] - face.box[:2]
    share = rng.uniform(0.4, 0.85) if touching else 0.9
    size = share * min(width, height) * span[0] / span.max()
    half = np.array([size, size * span[1] / span[0]]) / 2
    slack = np.maximum(np.array([width, height]) / 2 - half, 0)
    at = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * slack
    if touching:
        axis, far = int(rng.integers(2)), rng.random() < 0.5
        beyond = half[axis] * rng.uniform(0.6, 1.0)  # up to a fifth of the face is outside
        at[axis] = (width, height)[axis] - beyond if far else beyond
    placed = place(rng, image, face, float(size), float(rng.normal(0, 6)), at, (width, height))
    paste(frame, placed)
    faces = visible(placed.face, width, height) if placed.face is not None else []
    return finish(rng, frame, faces)


def natural(rng: np.random.Generator, parts: Parts, width: int, height: int) -> tuple[np.ndarray, list[Label]]:
    """A part of one real photograph with its own faces."""
    kind = str(rng.choice(["scene", "crowd", "portrait"], p=[0.35, 0.5, 0.15]))
    image, picture = parts.any_of(rng, kind)
    frame, faces = window(rng, image, picture.faces, width, height, most=2.0 if kind == "crowd" else 1.6)
    if rng.random() < 0.3:
        image, face = cut(rng, parts)
        size = float(np.exp(rng.uniform(np.log(14), np.log(min(80, height / 2.2)))))
        at = rng.uniform([size, size], [width - size, height - size])
        placed = place(rng, image, face, size, float(rng.normal(0, 12)), at, (width, height))
        if placed.face is not None and not any(overlap(placed.face, f) for f in faces):
            paste(frame, placed)
            faces = uncovered(faces, placed) + visible(placed.face, width, height)
    return finish(rng, frame, faces)


def overlap(a: Label, b: Label) -> bool:
    return bool((a.box[:2] < b.box[2:]).all() and (b.box[:2] < a.box[2:]).all())


def empty(rng: np.random.Generator, parts: Parts, width: int, height: int) -> tuple[np.ndarray, list[Label]]:
    """No face; in some a camera that is too near to focus, whose soft patches are easily taken for one."""
    if rng.random() < OUT_OF_FOCUS:
        near, _ = window(rng, *without_faces(rng, parts), width, height, most=10)
        return finish(rng, cv2.GaussianBlur(near, (0, 0), float(np.exp(rng.uniform(0, np.log(14))))), [])
    frame, faces = background(rng, parts, width, height, kinds={"negative": 1.0})
    return finish(rng, frame, faces)


def training_frame(rng: np.random.Generator, parts: Parts, kind: str | None) -> tuple[np.ndarray, np.ndarray]:
    """A grey frame of the network's size and its labels: (MOST_FACES, 15) of box, landmarks, 1 certain or 2 not."""
    width, height, zoom = WIDTH, HEIGHT, 1.0
    if rng.random() < 0.12:  # a small picture, which the detector leaves at its size
        width, height = int(rng.integers(150, WIDTH + 1)), int(rng.integers(120, HEIGHT + 1))
    elif rng.random() < 0.5:  # a larger one, which it shrinks
        zoom = float(rng.uniform(1.0, 2.0))
    size = (round(width * zoom), round(height * zoom))
    kind = kind or str(rng.choice(list(MIX), p=list(MIX.values())))
    if kind == "composed":
        frame, faces = composed(rng, parts, *size, sizes=(8 * zoom, min(size) * 0.6))
    elif kind == "many":  # small faces are the hardest, and many fit
        frame, faces = composed(rng, parts, *size, sizes=(9 * zoom, 48 * zoom), most=24)
    elif kind == "natural":
        frame, faces = natural(rng, parts, *size)
    elif kind == "empty":
        frame, faces = empty(rng, parts, *size)
    else:
        frame, faces = close_up(rng, parts, *size, touching=kind == "touching")
    if rng.random() < SPRINKLED:
        faces = sprinkle(rng, frame, faces)
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    if grey.shape != (height, width):
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR)
    padded = np.zeros((HEIGHT, WIDTH), np.uint8)
    padded[:height, :width] = grey
    labels = np.zeros((MOST_FACES, 15), np.float32)
    for row, face in enumerate(faces[:MOST_FACES]):
        labels[row, :4] = face.box / zoom
        labels[row, 4:14] = face.landmarks.ravel() / zoom
        seen = face.certain and labels[row, 2] - labels[row, 0] >= SMALLEST
        labels[row, 14] = 1 if seen else 2
    return padded, labels


def sides(assets: Path, cache: Path, few: bool = False) -> dict[str, Parts]:
    """The parts to compose from, for each side of the split. `few`: a twelfth of them, to try the scripts."""
    yunet = assets / "models" / "face_detection_yunet_2023mar.onnx"
    pictures = split(read_pictures(assets)[:: 12 if few else 1], SEED)
    fer = split(read_fer(assets, yunet, cache / "fer_labels.npy", 300 if few else None), SEED)
    return {side: Parts(pictures[side], fer[side]) for side in pictures}


_parts: Parts
_kind: str | None


def start(parts: Parts, kind: str | None) -> None:
    global _parts, _kind
    cv2.setNumThreads(0)
    _parts, _kind = parts, kind


def make(task: tuple[int, int]) -> tuple[int, np.ndarray, np.ndarray]:
    seed, number = task
    return number, *training_frame(np.random.default_rng([seed, number]), _parts, _kind)


def compose_all(parts: Parts, folder: Path, count: int, seed: int, workers: int, kind: str | None = None) -> None:
    """Write `count` frames and their labels into `folder`; the same whatever the number of workers."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = np.lib.format.open_memmap(folder / "frames.npy", "w+", np.uint8, (count, HEIGHT, WIDTH))
    labels = np.zeros((count, MOST_FACES, 15), np.float32)
    tasks = [(seed, number) for number in range(count)]
    # Forked, so that the decoded archives are shared and not sent.
    with multiprocessing.get_context("fork").Pool(workers, start, (parts, kind)) as pool:
        for number, frame, faces in pool.imap_unordered(make, tasks, chunksize=32):
            frames[number], labels[number] = frame, faces
    frames.flush()
    np.save(folder / "labels.npy", labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=24000)
    parser.add_argument("--name", default="train", help="folder within the cache; train.py reads all train*")
    parser.add_argument("--few", action="store_true", help="a twelfth of the pictures, to try the script")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--kind", choices=list(MIX), help="frames of this kind alone")
    options = parser.parse_args()
    begin = time.time()
    parts = sides(options.assets, options.cache, options.few)
    for side, part in parts.items():
        print(side, {kind: len(pictures) for kind, pictures in part.by_kind.items()})
    hard = options.cache / "hard.npy"
    if hard.exists():
        often = np.load(hard)
        parts["train"].chances["negative"] = often / often.sum()
    folder = options.cache / options.name
    compose_all(parts["train"], folder, options.frames, options.seed, options.workers, options.kind)
    print(f"{options.frames} frames in {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
