"""The picture that TensorBoard shows of a training's faces, as the network is fed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facemotion.data.sheets import tile

if TYPE_CHECKING:
    from facemotion.data.loaders import Batch
    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

_FACES, _COLUMNS = 64, 8


def face_sheet(batch: Batch, spec: InputSpec) -> Pixels:
    """The first faces of a batch, with all that was done to them."""
    images = batch.images[:_FACES].permute(0, 2, 3, 1).cpu().numpy() * np.array(spec.std) + np.array(spec.mean)
    faces = np.rint(images.clip(0, 1) * 255).astype(np.uint8)
    return tile(np.broadcast_to(faces, (*faces.shape[:3], 3)), "as the network is fed them", _COLUMNS)
