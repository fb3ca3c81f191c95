"""Values that come as arrays, as samples hold them: targets as whole numbers, columns as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facemotion.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def positions(targets: ArrayLike, source: str) -> NDArray[np.int64]:
    """One whole number for each face, which floats may be, too."""
    values = np.asarray(targets)
    wanted = "a whole number for each face"
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DataError("wrong targets", source, wanted, f"{values.dtype} of shape {values.shape}")
    odd = values[~np.isfinite(values) | (values != np.rint(values))]
    if len(odd):
        raise DataError("wrong targets", source, wanted, str(odd[0]))
    return values.astype(np.int64)


def text(value: object) -> str:
    """A value of a column; none where there is none, which compares to itself as nothing else does."""
    return str(value) if value is not None and str(value == value) == "True" else ""
