"""A CSV of paths and labels; its further columns are kept, to slice an evaluation by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facemotion.data.classes import match_words_of
from facemotion.data.csv_files import PATH_NAMES, header_of, opened_table, whole_rows
from facemotion.data.faults import Faults
from facemotion.data.folder import open_files
from facemotion.data.samples import Samples
from facemotion.errors import DataError
from facemotion.file_names import at_home
from facemotion.labels import LabelSet

_LABEL = ("label", "emotion", "class", "expression", "target")
_SPLIT = ("split", "usage", "subset", "set", "partition")


def holds_paths(path: Path) -> bool:
    """Whether a file is a CSV with a column of paths."""
    return path.suffix.lower() == ".csv" and path.is_file() and any(name in PATH_NAMES for name in header_of(path))


def read_table(source: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults) -> Samples:
    """The samples of a CSV with the columns path and label, and split where it has one.

    Paths start at its folder, those with a ~ at a home.
    numbers: what numbers in place of labels are positions in, where `labels` are not named; see `read_data`.
    """
    at_rows: list[int] = []
    rows: list[list[str]] = []
    with opened_table(source) as (names, reader):
        path_at = _position(names, PATH_NAMES, source, "path")
        label_at = _position(names, _LABEL, source, "label")
        split_at = next((names.index(name) for name in _SPLIT if name in names), None)
        for number, fields in whole_rows(reader, names, source, faults):
            at_rows.append(number)
            rows.append(fields)
    if not rows:
        raise DataError("no row in it", str(source), "rows of paths and labels", "none")
    spellings: dict[str, str] = {}
    for number, row in zip(at_rows, rows, strict=True):
        spellings.setdefault(row[label_at], f"{source}: row {number}")
    label_set, position = match_words_of(source, spellings, labels, numbers, faults)
    known = [index for index, row in enumerate(rows) if row[label_at] in position]
    files = [source.parent / at_home(rows[index][path_at]) for index in known]
    places = [f"{source}: row {at_rows[index]} ({rows[index][path_at]})" for index in known]
    pictures, good = open_files(files, places, faults)
    kept = [rows[known[index]] for index in good]
    spare = [at for at in range(len(names)) if at not in (path_at, label_at, split_at)]
    return Samples(
        pictures,
        np.arange(len(pictures)),
        label_set,
        np.array([position[row[label_at]] for row in kept], np.int64),
        np.array(["" if split_at is None else row[split_at] for row in kept], np.str_),
        str(source),
        columns={names[at]: np.array([row[at] for row in kept], np.str_) for at in spare},
    )


def _position(names: list[str], wanted: tuple[str, ...], source: Path, kind: str) -> int:
    found = [name for name in wanted if name in names]
    if not found:
        got = ", ".join(names) or "an empty file"
        raise DataError(f"no column of {kind}s", str(source), f"one named {' or '.join(wanted)}", got)
    return names.index(found[0])
