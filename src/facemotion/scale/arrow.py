"""pyarrow, imported in this one place, so that its absence is the line that installs it."""

from __future__ import annotations

from facemotion.errors import MissingExtraError

try:
    import pyarrow
    import pyarrow.dataset
    import pyarrow.fs
    import pyarrow.parquet
except ImportError as error:
    raise MissingExtraError(
        f"facemotion.scale needs a package that is not installed ({error}): pip install 'facemotion[ray]'"
    ) from error

__all__ = ["pyarrow"]
