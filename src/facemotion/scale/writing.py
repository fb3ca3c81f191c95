"""Tables that appear whole or not at all, as Parquet or CSV, with the columns of `predict --csv` and `video --csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from facemotion.labels import LabelSet
from facemotion.scale.arrow import pyarrow
from facemotion.scale.job import Format
from facemotion.scale.places import Place
from facemotion.tables import Value, as_text, picture_columns, video_columns

# columns with their types
ERRORS = dict.fromkeys(("source", "reason"), pyarrow.string())

_TYPES = {
    **dict.fromkeys(("source", "label"), pyarrow.string()),
    **dict.fromkeys(("face", "track_id"), pyarrow.int32()),
    "frame": pyarrow.int64(),
    "time": pyarrow.float64(),
}
_ROWS_AT_ONCE = 50_000


def faces_columns(labels: LabelSet) -> dict[str, Any]:
    """Of pictures, as `predict --csv` has them."""
    return _typed(picture_columns(labels))


def frames_columns(labels: LabelSet) -> dict[str, Any]:
    """Of clips: which one, and then as `video --csv` has them."""
    return _typed(["source", *video_columns(labels)])


def _typed(columns: Sequence[str]) -> dict[str, Any]:
    return {name: _TYPES.get(name, pyarrow.float32()) for name in columns}


def write_table(place: Place, columns: Mapping[str, Any], rows: Iterable[Sequence[Value]], form: Format) -> None:
    """Write a table, with few of its rows in memory at a time. Where the rows end in an error there is none.

    columns: with pyarrow's types of them.
    """
    rows = iter(rows)
    with place.growing() as file:
        if form == "csv":
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows(as_text(list(columns), rows))
            text.detach()
            return
        schema = pyarrow.schema(list(columns.items()))
        with pyarrow.parquet.ParquetWriter(file, schema) as parquet:
            while chunk := list(islice(rows, _ROWS_AT_ONCE)):
                columnwise = [list(column) for column in zip(*chunk, strict=True)]
                arrays = [pyarrow.array(column, field.type) for column, field in zip(columnwise, schema, strict=True)]
                parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def count_rows(folder: Place, form: Format) -> int:
    """How many rows the tables in a folder have together."""
    if not folder.names():
        return 0
    tables = pyarrow.dataset.dataset(folder.path, filesystem=folder.filesystem, format=form)
    return int(tables.count_rows())
