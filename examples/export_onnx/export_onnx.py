"""Weights as one ONNX file, and the same faces through it with nothing but onnxruntime."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

from facemotion import EmotionRecognizer
from facemotion.crops import cut
from facemotion.images import read_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", help="a name of `facemotion weights list`, or a weights folder")
    parser.add_argument("out", type=Path, help="the file to write: NAME.onnx")
    parser.add_argument("photo", type=Path, help="a photo with a face, to try it on")
    args = parser.parse_args()

    recognizer = EmotionRecognizer.from_pretrained(args.weights)
    difference = recognizer.export(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, within {difference:.0e} of torch on noise")

    image = read_image(args.photo)
    faces = recognizer.predict(image)
    crops = cut(image, faces, recognizer.classifier.config.input)
    for face, scores in zip(faces, classify(args.out, crops), strict=True):
        print(
            f"torch {face.label} {face.score:.1%}, onnxruntime {max(scores, key=scores.get)} {max(scores.values()):.1%}"
        )


def classify(path: Path, crops: np.ndarray) -> list[dict[str, float]]:
    """What the other program does: it needs the file, onnxruntime and numpy alone."""
    # it sends events to its maker unless told not to before it is imported
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    size, colour = json.loads(about["input"])["size"], json.loads(about["input"])["colour"]
    assert crops.dtype == np.uint8
    assert crops.shape[1:] == (size, size, 1 if colour == "grey" else 3)
    (rows,) = session.run(["probabilities"], {"crops": crops})
    return [dict(zip(json.loads(about["labels"]), map(float, row), strict=True)) for row in rows]


if __name__ == "__main__":
    main()
