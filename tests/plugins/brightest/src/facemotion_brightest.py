"""Takes the bright part of a picture for a face."""

import numpy as np

from facemotion import Box, Face


class Brightest:
    def __init__(self, *, min_score=None, device="auto"):
        self.threshold = 255 * (0.9 if min_score is None else min_score)

    def detect(self, image):
        rows, columns = np.nonzero(image.min(axis=2) >= self.threshold)
        if not len(rows):
            return []
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Face(box, float(image[rows, columns].mean() / 255))]
