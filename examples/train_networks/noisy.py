"""How often a network is right on faces of PublicTest that are worse than they were.

    python noisy.py fast-8class FER2013 --label-rule majority

White noise of a standard deviation of so many of 255, a JPEG of quality 40, out of focus by a pixel: each is done to
the 48 x 48 pixels, the same for every network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facemotion import EmotionRecognizer, read_data
from facemotion.inputs import InputSpec

if TYPE_CHECKING:
    from facemotion.results import Pixels

SIGMAS = (10, 20, 35)


def noise(sigma: float) -> Callable[[Pixels], Pixels]:
    draw = np.random.default_rng(0)
    return lambda face: np.clip(face + draw.normal(0, sigma, face.shape), 0, 255).round().astype(np.uint8)


def jpeg(face: Pixels) -> Pixels:
    written = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_GRAYSCALE), np.uint8)


def blurred(face: Pixels) -> Pixels:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("data")
    parser.add_argument("--label-rule")
    options = parser.parse_args()
    recognizer = EmotionRecognizer.from_pretrained(options.weights, detector="whole")
    samples = read_data(options.data, split="PublicTest", label_rule=options.label_rule).restrict(recognizer.labels)
    faces = samples.crops(InputSpec(size=48), np.arange(len(samples)))[..., 0]
    changes = {"as they are": lambda face: face} | {f"noise of {sigma}": noise(sigma) for sigma in SIGMAS}
    for name, change in (changes | {"JPEG": jpeg, "blurred": blurred}).items():
        right = recognizer.classify([change(face) for face in faces]).argmax(axis=1) == samples.targets
        print(f"{name:<12} {right.mean():.1%} of {len(right):,}")


if __name__ == "__main__":
    main()
