"""Which crop of a found face looks most like what the network was trained on.

    python framing.py runs/fast-8class/best FER2013 --label-rule majority

Each face of PublicTest is enlarged and put into a frame, a detector finds it, and it is cut out with several margins,
as it stands and turned upright by its landmarks. Printed: the framing that the detector's boxes ask for, and what the
network makes of each crop.
"""

from __future__ import annotations

import argparse
import dataclasses

import cv2
import numpy as np

from facemotion import FaceDetector, read_data
from facemotion.classifier import Classifier
from facemotion.crops import cut, upright_transform
from facemotion.inputs import InputSpec

SIDES, BORDER = (64, 96, 144, 240), 0.6
MARGINS = (-0.05, 0.0, 0.05, 0.1, 0.15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("data")
    parser.add_argument("--label-rule")
    parser.add_argument("--detector", default="mini")
    options = parser.parse_args()
    classifier, detector = Classifier.load(options.weights, device="cpu"), FaceDetector(options.detector)
    samples = read_data(options.data, split="PublicTest", label_rule=options.label_rule).restrict(classifier.labels)
    plain = samples.crops(InputSpec(size=48), np.arange(len(samples)))[..., 0]
    frames, faces, truth, framings = [], [], [], []
    for index, face in enumerate(plain):
        side = SIDES[index % len(SIDES)]
        border = round(BORDER * side)
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        large = cv2.copyMakeBorder(large, *[border] * 4, cv2.BORDER_REPLICATE)
        frame = np.repeat(large[:, :, None], 3, axis=2)
        found = detector.detect(frame)
        if not found:
            continue
        frames.append(frame)
        faces.append(found[0])
        truth.append(samples.targets[index])
        aligned = np.nan
        if found[0].landmarks is not None:
            transform = upright_transform(found[0].landmarks, InputSpec(size=side))
            aligned = np.nan if transform is None else (np.hypot(*transform[:, 0]) - 1) / 2
        framings.append(((side / max(found[0].box.width, found[0].box.height) - 1) / 2, aligned))
    print(f"{options.detector} finds {len(faces)} of {len(plain)}")
    for name, values in zip(("boxes", "landmarks"), np.array(framings).T, strict=True):
        low, middle, high = np.nanpercentile(values, (10, 50, 90))
        print(f"margin that {name} ask for: {middle:.3f} (10 to 90%: {low:.3f} to {high:.3f})")
    ready = samples.crops(classifier.config.input, np.arange(len(samples)))
    print(f"as they are: {(classifier.probabilities(ready).argmax(axis=1) == samples.targets).mean():.2%} of all")
    for align in (False, True):
        for margin in MARGINS:
            spec = dataclasses.replace(classifier.config.input, margin=margin, align=align)
            crops = np.concatenate([cut(frame, [face], spec) for frame, face in zip(frames, faces, strict=True)])
            right = classifier.probabilities(crops).argmax(axis=1) == truth
            print(f"{'upright' if align else 'as it stands':<12} margin {margin:5.2f}: {right.mean():.2%} of the found")


if __name__ == "__main__":
    main()
