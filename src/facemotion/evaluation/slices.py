"""Accuracy by group (age band, sex, skin tone, site), and which gaps are more than chance."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import hypergeom

from facemotion.data.csv_files import PATH_NAMES, opened_table, whole_rows
from facemotion.data.faults import Faults
from facemotion.errors import DataError, UnknownNameError
from facemotion.evaluation.metrics import accuracy_of
from facemotion.file_names import at_home

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples

    Columns = dict[str, NDArray[np.str_]]

SIGNIFICANT = 0.05
_MOST_VALUES = 50
_ROW = "row"
_NUMBER = re.compile(r": row (\d+)$")


@dataclass(frozen=True)
class Slice:
    """Faces with one value of a column. gap: their accuracy less that of the other faces with a value.

    p: how often a gap at least as large would come of a random shuffle of the values; p_corrected: the same for the
    number of slices that were looked at; marked: whether that is below 0.05. gap and p are None for a single slice.
    """

    value: str
    count: int
    accuracy: float
    ci95: tuple[float, float]
    gap: float | None
    p: float | None
    p_corrected: float | None
    marked: bool


@dataclass(frozen=True)
class Slicing:
    """A column's slices, in the order of their names. without_value: faces for which the column says nothing."""

    column: str
    slices: tuple[Slice, ...]
    without_value: int

    @property
    def tests(self) -> int:
        """How many gaps can be tested; two slices have one between them."""
        count = len(self.slices)
        return count if count > 2 else count - 1


def slice_accuracy(right: NDArray[np.bool_], columns: Columns, source: str = "data") -> tuple[Slicing, ...]:
    """The accuracy of each slice of each column, corrected (Bonferroni) for all slices of all columns together."""
    found = [_slicing(right, name, np.char.strip(values), source) for name, values in columns.items()]
    tests = sum(each.tests for each in found)
    return tuple(replace(each, slices=tuple(_corrected(one, tests) for one in each.slices)) for each in found)


def permutation_p(
    right: NDArray[np.int64], count: NDArray[np.int64], all_right: int, total: int
) -> NDArray[np.float64]:
    """The two-sided p of a permutation test for groups with so many right of so many, among `total` faces.

    Of all ways to deal the faces out to groups of these sizes, the share that brings a group's accuracy at least as far
    from that of the rest. All ways are counted and none is drawn: how many right ones a group gets is hypergeometric.
    """
    expected = count * all_right / total
    # a rounding error must not decide whether the mirror image counts as as far
    far = np.abs(right - expected) - 1e-9
    ways = hypergeom(total, all_right, count)
    p: NDArray[np.float64] = ways.cdf(np.floor(expected - far)) + ways.sf(np.ceil(expected + far) - 1)
    return np.minimum(p, 1.0)


def _slicing(right: NDArray[np.bool_], column: str, values: NDArray[np.str_], source: str) -> Slicing:
    known = values != ""
    names, group = np.unique(values[known], return_inverse=True)
    if len(names) > _MOST_VALUES:
        wanted = f"at most {_MOST_VALUES} values (put numbers into bands)"
        raise DataError(f"column {column!r} is no slicing", source, wanted, f"{len(names)} of them")
    if not len(names):
        raise DataError(f"column {column!r} is empty", source, "a value for some of the faces", "none")
    judged = right[known]
    count = np.bincount(group)
    hits = np.bincount(group, weights=judged).astype(np.int64)
    total, all_right = len(judged), int(judged.sum())
    alone = len(names) == 1
    p = permutation_p(hits, count, all_right, total)
    slices = []
    for index, name in enumerate(names):
        figures: dict[str, Any] = accuracy_of(judged[group == index])
        rest = None if alone else (all_right - hits[index]) / (total - count[index])
        slices.append(
            Slice(
                str(name),
                **figures,
                gap=None if rest is None else float(figures["accuracy"] - rest),
                p=None if alone else float(p[index]),
                p_corrected=None,
                marked=False,
            )
        )
    return Slicing(column, tuple(slices), int((~known).sum()))


def _corrected(one: Slice, tests: int) -> Slice:
    if one.p is None:
        return one
    corrected = min(one.p * tests, 1.0)
    return replace(one, p_corrected=corrected, marked=corrected < SIGNIFICANT)


def slice_columns(samples: Samples, wanted: str | os.PathLike[str] | Sequence[str]) -> Columns:
    """The columns to slice by: the data's own, by name; or those of a CSV that is joined to it.

    Such a CSV has a column `path` (from its own folder, or as the data names its files; under any name that a table of
    faces may have for it) or `row` (the number that the data's places have); all its other columns are slicings. A face
    that it does not name has no value.
    """
    if isinstance(wanted, str | os.PathLike):
        path = at_home(wanted)
        if path.suffix.lower() == ".csv" or path.is_file():
            return _joined(samples, path)
        wanted = [str(wanted)]
    for name in wanted:
        if name.lower() not in samples.columns:
            raise UnknownNameError("column", name, samples.columns, "Or give a CSV with a column path or row.")
    return {name.lower(): samples.columns[name.lower()] for name in wanted}


def _joined(samples: Samples, path: Path) -> Columns:
    names, rows = _read(path)
    key = next((name for name in (*PATH_NAMES, _ROW) if name in names), None)
    if key is None:
        raise DataError("nothing to join by", str(path), "a column path or row", ", ".join(names) or "an empty file")
    columns = [name for name in names if name != key]
    if not columns:
        raise DataError("no column to slice by", str(path), f"a column beside {key}", "none")
    keys = _row_keys(samples) if key == _ROW else _path_keys(samples)
    root = Path(samples.source)
    bases = [] if key == _ROW else [path.parent, root if root.is_dir() else root.parent]
    found: Columns = {name: np.full(len(samples), "", object) for name in columns}
    met: dict[int, int] = {}
    for number, row in rows:
        candidates = [row[key], *(str((base / row[key]).resolve()) for base in bases)]
        for index in next((keys[each] for each in candidates if each in keys), ()):
            if index in met:
                got = f"{row[key]!r}, as row {met[index]}"
                raise DataError("a face twice", f"{path}: row {number}", "each face once", got)
            met[index] = number
            for name in columns:
                found[name][index] = row[name]
    if not met:
        example = samples.place(0)
        raise DataError("no row belongs to a judged face", str(path), f"{key} as in {example}", repr(rows[0][1][key]))
    return {name: values.astype(np.str_) for name, values in found.items()}


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    with opened_table(path) as (names, reader):
        whole = whole_rows(reader, names, path, Faults())
        rows = [(number, dict(zip(names, fields, strict=True))) for number, fields in whole]
    if not rows:
        raise DataError("no row in it", str(path), "rows of path or row and slices", "none")
    return names, rows


def _row_keys(samples: Samples) -> dict[str, list[int]]:
    keys: dict[str, list[int]] = {}
    for index in range(len(samples)):
        match = _NUMBER.search(samples.place(index))
        if match is None or match[1] in keys:
            got = samples.place(index) + ("" if match is None else " and " + samples.place(keys[match[1]][0]))
            raise DataError("faces can't be joined by row", samples.source, "each a row of its own; or use path", got)
        keys[match[1]] = [index]
    return keys


def _path_keys(samples: Samples) -> dict[str, list[int]]:
    keys: dict[str, list[int]] = {}
    for index in range(len(samples)):
        place = samples.place(index)
        for name in {place, str(Path(place).resolve())}:
            keys.setdefault(name, []).append(index)
    return keys
