"""Tables that appear whole or not at all, as Parquet or CSV, with the columns of `predict --csv` and `video --csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import islice

from facemotion.labels import LabelSet
from facemotion.scale.arrow import pyarrow
from facemotion.scale.job import Format
from facemotion.scale.places import Place
from facemotion.tables import Value, as_text, picture_columns, video_columns

ERRORS = ["source", "reason"]

_TYPES = {
    **dict.fromkeys(("source", "label", "reason"), pyarrow.string()),
    **dict.fromkeys(("face", "track_id"), pyarrow.int32()),
    "frame": pyarrow.int64(),
    "time": pyarrow.float64(),
}
_ROWS_AT_ONCE = 50_000


def faces_columns(labels: LabelSet) -> list[str]:
    """Of pictures, as `predict --csv` has them."""
    return picture_columns(labels)


def frames_columns(labels: LabelSet) -> list[str]:
    """Of clips: which one, and then as `video --csv` has them."""
    return ["source", *video_columns(labels)]


def write_table(place: Place, columns: Sequence[str], rows: Iterable[Sequence[Value]], form: Format) -> None:
    """Write a table, with few of its rows in memory at a time. Where the rows end in an error there is none."""
    rows = iter(rows)
    with place.growing() as file:
        if form == "csv":
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows(as_text(columns, rows))
            text.detach()
            return
        schema = pyarrow.schema([(name, _TYPES.get(name, pyarrow.float32())) for name in columns])
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
