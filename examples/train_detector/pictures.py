"""The pictures to learn from, cut into three sides so that near-copies stay together."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

SIDES = ("train", "choose", "report")
CERTAIN = 0.6  # labels below it are "don't care"


@dataclass(slots=True)
class Label:
    """A face: box and five landmarks in pixels; `certain` is False where nobody knows whether it is one."""

    box: np.ndarray
    landmarks: np.ndarray
    certain: bool = True
    tone: str = ""


@dataclass(slots=True)
class Picture:
    """A JPEG or WebP, its kind, and the faces in it. Decoded on demand: five thousand pictures are 400 MB."""

    kind: str
    data: np.ndarray
    faces: list[Label] = field(default_factory=list)

    def pixels(self) -> np.ndarray:
        image = cv2.imdecode(self.data, cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"a {self.kind} picture can't be decoded")
        return image


def read_pictures(assets: Path) -> list[Picture]:
    """Portraits, scenes, negatives and crowds of the folder `faces`."""
    pictures = []
    for name in ("faces", "crowds"):
        archive = np.load(assets / "faces" / f"{name}.npz")
        jpeg, offsets = archive["jpeg"], archive["offsets"]
        entries = json.loads((assets / "faces" / f"{name}.json").read_text())
        for row, entry in enumerate(entries):
            faces = [
                Label(
                    np.array(face["box"], np.float32),
                    np.array(face["landmarks"], np.float32).reshape(5, 2),
                    face["score"] >= CERTAIN,
                )
                for face in entry["faces"]
            ]
            pictures.append(Picture(entry["kind"], jpeg[offsets[row] : offsets[row + 1]], faces))
    return pictures


def read_fer(assets: Path, yunet: Path, cache: Path, most: int | None = None) -> list[Picture]:
    """The (first `most`) 48x48 faces in which YuNet finds one once enlarged; its boxes are kept in `cache`."""
    archive = np.load(assets / "fer2013" / "fer2013.npz")
    webp, offsets = archive["webp"], archive["offsets"]
    codes = [webp[offsets[row] : offsets[row + 1]] for row in range(len(offsets) - 1)][:most]
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, label_crops(codes, yunet))
    labels = np.load(cache)
    pictures = []
    for code, label in zip(codes, labels, strict=True):
        if label[14] >= CERTAIN:
            pictures.append(Picture("fer", code, [Label(label[:4].copy(), label[4:14].reshape(5, 2).copy())]))
    return pictures


def label_crops(codes: list[np.ndarray], yunet: Path) -> np.ndarray:
    """(n, 15): box, landmarks and score of the face in each 48x48 crop, in its pixels; zeros where none is found."""
    enlarged, margin = 96, 32
    side = enlarged + 2 * margin
    detector = cv2.FaceDetectorYN.create(str(yunet), "", (side, side), 0.3)
    labels = np.zeros((len(codes), 15), np.float32)
    for row, code in enumerate(codes):
        crop = cv2.resize(cv2.imdecode(code, cv2.IMREAD_COLOR), (enlarged, enlarged), interpolation=cv2.INTER_CUBIC)
        framed = cv2.copyMakeBorder(crop, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(127, 127, 127))
        found = detector.detect(framed)[1]
        if found is None:
            continue
        best = found[np.argmax(found[:, 14])]
        place = best[:14].copy()
        place[2:4] += place[:2]
        labels[row, :14] = (place - margin) * (48 / enlarged)
        labels[row, 14] = best[14]
    return labels


def fingerprints(pictures: list[Picture]) -> np.ndarray:
    """64 bits a picture: is a cell brighter than its right neighbour?"""
    bits = np.zeros((len(pictures), 64), bool)
    for row, picture in enumerate(pictures):
        grey = cv2.imdecode(picture.data, cv2.IMREAD_GRAYSCALE)
        small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
        bits[row] = (small[:, 1:] > small[:, :-1]).ravel()
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def near_copies(prints: np.ndarray, distance: int) -> np.ndarray:
    """A group number for each picture; pictures whose fingerprints differ in at most `distance` bits share one."""
    group = np.arange(len(prints))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    for start in range(0, len(prints), 256):
        differ = np.bitwise_count(prints[start : start + 256, None] ^ prints[None, :])
        for i, j in np.argwhere(differ <= distance):
            if start + i < j:
                group[root(int(j))] = root(int(start + i))
    return np.array([root(i) for i in range(len(prints))])


def split(pictures: list[Picture], seed: int, distance: int = 4) -> dict[str, list[Picture]]:
    """Eight tenths to train on, one to choose on, one to report on; of every kind, groups of near-copies whole."""
    groups = near_copies(fingerprints(pictures), distance)
    kinds = np.array([picture.kind for picture in pictures])
    sides: dict[str, list[Picture]] = {side: [] for side in SIDES}
    rng = np.random.default_rng(seed)
    # A group belongs to the kind of its first picture: what makes a tenth of every kind a tenth.
    for kind in sorted(set(kinds)):
        members = [g for g in np.unique(groups) if kinds[g] == kind]
        goal = (kinds == kind).sum() / 10
        order = rng.permutation(members)
        filled = {"report": 0, "choose": 0}
        for g in order:
            rows = np.flatnonzero(groups == g)
            # A group larger than the tenth itself (blank pictures) would swallow it: it trains.
            side = next((s for s in filled if filled[s] + len(rows) <= goal + 1), "train")
            if side != "train":
                filled[side] += len(rows)
            sides[side].extend(pictures[row] for row in rows)
    return sides
