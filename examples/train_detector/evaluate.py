"""Recall, false boxes and milliseconds of mini, yunet and haar side by side.

python evaluate.py --assets ASSETS --cache CACHE --weights mini.onnx --side choose --sweep
python evaluate.py --assets ASSETS --cache CACHE --weights mini.onnx --side report --min-score S
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from compose import Parts, composed
from frames import SEED, close_up, sides
from pictures import Label

from facemotion.detectors import mini

Detector = Callable[[np.ndarray], np.ndarray]  # BGR -> (n, 15): score, box, landmarks
Frame = tuple[np.ndarray, list[Label]]
FOUND = 0.5  # a face is found where a box overlaps its label so far


def mini_detector(weights: Path, min_score: float, runtime: str) -> Detector:
    make = mini.opencv_engine if runtime == "cv2" else mini.onnxruntime_engine
    model = weights.read_bytes()
    if make(model) is None:
        raise SystemExit("onnxruntime is not installed")
    looks = mini.TwoLooks(lambda: make(model))
    return lambda image: looks(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), min_score)


def yunet_detector(path: Path, min_score: float) -> Detector:
    net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), min_score)

    def detect(image: np.ndarray) -> np.ndarray:
        scale = min(1.0, 640 / max(image.shape[:2]))
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        net.setInputSize(image.shape[1::-1])
        rows = net.detect(image)[1]
        if rows is None:
            return np.zeros((0, 15), np.float32)
        places = rows[:, :14] / scale
        places[:, 2:4] += places[:, :2]
        return np.concatenate([rows[:, 14:], places], axis=1)

    return detect


def haar_detector() -> Detector | None:
    """None on OpenCV 5, which has no cascades."""
    if not hasattr(cv2, "CascadeClassifier"):
        return None
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def detect(image: np.ndarray) -> np.ndarray:
        found = cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.1, 5)
        rows = np.zeros((len(found), 15), np.float32)
        for row, (x, y, w, h) in zip(rows, found, strict=True):
            row[:5] = 1, x, y, x + w, y + h
            row[5:] = np.nan
        return rows

    return detect


def composed_frames(parts: Parts, seed: int, count: int) -> dict[str, list[Frame]]:
    """What is made and not photographed: 640x480 frames, such without spoiling and covering, close-ups."""
    rngs = [np.random.default_rng([seed, 7, kind]) for kind in range(4)]
    return {
        "composed": [composed(rngs[0], parts) for _ in range(count)],
        "unharmed": [composed(rngs[3], parts, harm=False) for _ in range(count // 2)],
        "filling": [close_up(rngs[1], parts, 640, 480, touching=False) for _ in range(count // 2)],
        "touching": [close_up(rngs[2], parts, 640, 480, touching=True) for _ in range(count // 2)],
    }


def all_frames(parts: Parts, seed: int, count: int) -> dict[str, list[Frame]]:
    real = {
        kind: [(picture.pixels(), picture.faces) for picture in parts.by_kind[kind]]
        for kind in ("scene", "portrait", "crowd", "negative")
    }
    return real | composed_frames(parts, seed, count)


@dataclass
class Tally:
    found: int = 0
    faces: int = 0
    extra: int = 0
    overlaps: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.faces)


def overlaps(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    common = (np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])).clip(0).prod(axis=1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return common / np.maximum(area - common, 1e-6)


def groups(kind: str, face: Label) -> list[str]:
    """The lines of the table that a face counts in."""
    width = face.box[2] - face.box[0]
    if kind not in ("composed", "unharmed", "crowd"):
        # Some scenes have faces of 4 to 10 pixels on posters and far away.
        return [kind] if width >= 16 else []
    size = next((f"{low}+ px" for low in (40, 24, 16) if width >= low), None)
    if size is None:
        return []
    lines = [f"{kind} {size}"]
    if kind == "composed" and width >= 24 and face.tone:
        lines.append(f"{face.tone} skin, 24+ px")
    return lines


def tally(frames: dict[str, list[Frame]], results: dict[str, list[np.ndarray]], min_score: float) -> dict[str, Tally]:
    table: dict[str, Tally] = {}
    for kind, pictures in frames.items():
        whole = table.setdefault(f"{kind}: false boxes", Tally(faces=len(pictures)))
        for (image, faces), found in zip(pictures, results[kind], strict=True):
            size = np.tile(image.shape[1::-1], 2)
            found = found[found[:, 0] >= min_score]
            boxes = found[:, 1:5].clip(0, size)
            explained = np.zeros(len(found), bool)
            for face in faces:
                label = face.box.clip(0, size)
                shared = overlaps(boxes, label)
                # "Don't care" explains a box that covers it loosely; a face only one that fits.
                explained |= shared > (0.3 if face.certain else 0.1)
                if not face.certain:
                    continue
                best = int(shared.argmax()) if len(shared) else -1
                for line in groups(kind, face):
                    entry = table.setdefault(line, Tally())
                    entry.faces += 1
                    if best >= 0 and shared[best] >= FOUND:
                        entry.found += 1
                        entry.overlaps.append(float(shared[best]))
                        off = np.linalg.norm(found[best, 5:].reshape(5, 2) - face.landmarks, axis=1)
                        eyes = np.linalg.norm(face.landmarks[0] - face.landmarks[1])
                        entry.offsets += (off / max(eyes, 1)).tolist()
            whole.extra += int((~explained).sum())
    return table


def milliseconds(detectors: dict[str, Detector], width: int, height: int, frames: list[Frame]) -> dict[str, float]:
    """The mean over the frames of the median time; in turns, so that a busy moment falls on all alike."""
    means = dict.fromkeys(detectors, 0.0)
    for frame, _ in frames:
        image = cv2.resize(frame, (width, height))
        times: dict[str, list[float]] = {name: [] for name in detectors}
        for turn in range(6):
            for name, detect in detectors.items():
                start = time.perf_counter()
                detect(image)
                if turn:  # whatever is set up for a new size is not counted
                    times[name].append(time.perf_counter() - start)
        for name, each in times.items():
            means[name] += float(np.median(each)) * 1000 / len(frames)
    return means


def show(tables: dict[str, dict[str, Tally]]) -> None:
    print("| | " + " | ".join(tables) + " |")
    print("|---" * (len(tables) + 1) + "|")
    first = next(iter(tables.values()))
    for line in first:
        cells = []
        for table in tables.values():
            entry = table[line]
            if line.endswith("false boxes"):
                cells.append(f"{entry.extra / entry.faces:.3f} a picture ({entry.extra}/{entry.faces})")
            else:
                iou = np.median(entry.overlaps) if entry.overlaps else float("nan")
                off = np.median(entry.offsets) if entry.offsets else float("nan")
                cells.append(f"{entry.recall:.1%} of {entry.faces}, IoU {iou:.2f}, points {off:.1%}")
        print(f"| {line} | " + " | ".join(cells) + " |")


def sweep(frames: dict[str, list[Frame]], results: dict[str, list[np.ndarray]]) -> None:
    """One line a threshold, to choose it by."""
    for min_score in np.arange(0.2, 0.76, 0.05):
        table = tally(frames, results, float(min_score))
        cells = []
        for line, entry in table.items():
            value = entry.extra / entry.faces if line.endswith("false boxes") else entry.recall
            cells.append(f"{line} {value:.3f}")
        print(f"{min_score:.2f}  " + "  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--side", choices=["choose", "report"], default="choose")
    parser.add_argument("--min-score", type=float, default=0.5)
    parser.add_argument("--runtime", choices=["cv2", "onnxruntime"], default="cv2")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--few", action="store_true", help="a twelfth of the pictures, to try the script")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    parts = sides(options.assets, options.cache, options.few)[options.side]
    frames = all_frames(parts, SEED, 20 if options.few else 400)
    if options.sweep:
        detect = mini_detector(options.weights, 0.2, options.runtime)
        results = {kind: [detect(image) for image, _ in pictures] for kind, pictures in frames.items()}
        sweep(frames, results)
        show({"mini": tally(frames, results, options.min_score)})
        return
    yunet = options.assets / "models" / "face_detection_yunet_2023mar.onnx"
    detectors = {
        "mini": mini_detector(options.weights, options.min_score, options.runtime),
        "yunet": yunet_detector(yunet, 0.6),
    }
    if (haar := haar_detector()) is not None:
        detectors["haar"] = haar
    tables = {}
    for name, detect in detectors.items():
        results = {kind: [detect(image) for image, _ in pictures] for kind, pictures in frames.items()}
        tables[name] = tally(frames, results, 0.0)
    print(f"OpenCV {cv2.__version__}, {options.runtime}, side {options.side}, score {options.min_score}")
    show(tables)
    for kind in ("scene", "negative", "composed"):
        for width, height in ((640, 480), (1280, 720)):
            times = milliseconds(detectors, width, height, frames[kind][:20])
            cells = [f"{name} {ms:.2f} ms" for name, ms in times.items()]
            print(f"{kind} {width}x{height}, one thread: " + ", ".join(cells))


if __name__ == "__main__":
    main()
