"""What `FaceDetector("yunet")` costs over the bare call of OpenCV, on a picture of 640 x 480.

    python benchmarks/detector_overhead.py face_detection_yunet_2023mar.onnx [--rounds 200]

Both run the same network on the same pixels by OpenCV, in turn. Ours also turns RGB into BGR and gives `Face`s.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facemotion.detectors import yunet
from facemotion.detectors.detector import FaceDetector
from facemotion.images import read_image
from facemotion.opencv import cv2

ASTRONAUT = Path(__file__).resolve().parent.parent / "examples" / "images" / "astronaut.jpg"


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()

    rgb = cv2.resize(read_image(ASTRONAUT), (640, 480), interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    bare = cv2.FaceDetectorYN.create(str(arguments.model), "", (640, 480), 0.6, 0.3, 5000)
    # the same engine as the bare call, on the file that was given
    yunet.locate = lambda name: arguments.model
    yunet._onnxruntime_engine = lambda model, min_score: None
    ours = FaceDetector("yunet")
    assert len(ours.detect(rgb)) == len(bare.detect(bgr)[1]) == 1

    rows = []
    for _ in range(arguments.rounds):
        rows.append((milliseconds(lambda: bare.detect(bgr)), milliseconds(lambda: ours.detect(rgb))))
    bare_ms, ours_ms = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(ours / bare for bare, ours in rows)
    print(f"{platform.machine()}, Python {platform.python_version()}, OpenCV {cv2.__version__}, {len(rows)} rounds")
    print(f"bare cv2.FaceDetectorYN.detect   {bare_ms:6.2f} ms")
    print(f"FaceDetector('yunet').detect     {ours_ms:6.2f} ms")
    print(f"overhead                         {100 * (ratio - 1):6.1f} %")


if __name__ == "__main__":
    main()
