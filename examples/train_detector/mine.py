"""Hard negatives: pictures without a face in which the network, as trained so far, believes to see one.

    python mine.py --assets ASSETS --cache CACHE --weights mini.onnx

writes how often each negative is to be shown from now on; `frames.py` follows it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from compose import Parts
from evaluate import mini_detector
from frames import sides

ZOOMS = (0.6, 1.0, 1.7, 2.5)
DOUBTFUL, FOOLED = 0.4, 0.7  # the scores at which a picture of nothing is shown more often, and most often
OFTEN = 8.0


def hardness(parts: Parts, weights: Path) -> np.ndarray:
    """The highest score in each negative of the training side, over several sizes and both directions."""
    detect = mini_detector(weights, 0.05, "cv2")
    scores = np.zeros(len(parts.by_kind["negative"]), np.float32)
    for row, picture in enumerate(parts.by_kind["negative"]):
        image = picture.pixels()
        for zoom in ZOOMS:
            sized = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else 1)
            for turned in (sized, sized[:, ::-1]):
                found = detect(np.ascontiguousarray(turned))
                if len(found):
                    scores[row] = max(scores[row], found[0, 0])
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--few", action="store_true", help="a twelfth of the pictures, to try the script")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    parts = sides(options.assets, options.cache, options.few)["train"]
    scores = hardness(parts, options.weights)
    share = ((scores - DOUBTFUL) / (FOOLED - DOUBTFUL)).clip(0, 1)
    np.save(options.cache / "hard.npy", 1 + (OFTEN - 1) * share)
    print(f"of {len(scores)} negatives {(share > 0).sum()} score above {DOUBTFUL}, {(share == 1).sum()} above {FOOLED}")


if __name__ == "__main__":
    main()
