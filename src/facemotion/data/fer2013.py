"""FER-2013 as the challenge gave it out: faces as text in a CSV, with Usage, or as train.csv and test.csv."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from facemotion.data.classes import SAID_BY, counted_in, match_words, numbered_label, renumber
from facemotion.data.csv_files import column_names, csv_rows, header_of, whole_rows
from facemotion.data.faults import Faults
from facemotion.data.pictures import ArrayPictures, PictureSpool
from facemotion.data.samples import Samples
from facemotion.data.votes import apply_rule, read_votes
from facemotion.errors import DataError
from facemotion.labels import LabelSet

FER7 = LabelSet.named("fer7")
VOTES = "fer2013new.csv"
WITH_USAGE = ("fer2013.csv", "icml_face_data.csv")
_TRAIN, _TEST, _TEST_LABELS = "train.csv", "test.csv", "test_with_emotions.csv"
_PIXEL = {str(value): value for value in range(256)}


def holds_pixels(path: Path) -> bool:
    """Whether a file is such a CSV, or a folder has one that is named as the challenge's are."""
    if path.is_dir():
        return any(holds_pixels(path / name) for name in (*WITH_USAGE, _TRAIN) if (path / name).is_file())
    return path.suffix.lower() == ".csv" and "pixels" in header_of(path)


def read_fer2013(
    source: Path, labels: LabelSet | None, numbers: LabelSet | None, label_rule: str | None, faults: Faults
) -> Samples:
    """The samples of a challenge CSV, or of a folder with one; with a label rule by the FER+ votes beside it.

    numbers: what numbers beyond the challenge's are positions in, where `labels` are not named; see `read_data`.
    """
    if not source.is_dir():
        file, folder = source, source.parent
    else:
        folder = source
        found = [folder / name for name in WITH_USAGE if holds_pixels(folder / name)]
        if not found:
            samples = _read_two_files(folder, labels, numbers, faults)
            if label_rule is not None:
                raise DataError("FER+ votes belong to the order of fer2013.csv", str(folder), "fer2013.csv", _TRAIN)
            return samples
        file = found[0]
    if label_rule is None:
        return _read_file(file, labels, numbers, faults)
    samples = _by_votes(_read_file(file, None, None, faults), folder / VOTES, label_rule, whole=not faults.found)
    return samples if labels is None else renumber(samples, labels, faults)


def _by_votes(samples: Samples, votes_file: Path, label_rule: str, whole: bool) -> Samples:
    """The samples by their votes, which are joined by row; `whole` says that no row was left out."""
    if not votes_file.is_file():
        raise DataError(f"label rule {label_rule!r} needs the FER+ votes", str(votes_file), "a file", "none")
    votes, usage = read_votes(votes_file)
    # where there are all of them their order tells: an empty line between two rows is no row
    numbers = np.arange(len(samples)) if whole else _row_numbers(samples) - 2
    if len(votes) <= numbers.max(initial=-1) or (whole and len(votes) != len(samples)):
        raise DataError(
            "votes and faces don't belong together", str(votes_file), f"{len(samples)} rows", f"{len(votes)}"
        )
    theirs = np.array(usage, np.str_)[numbers]
    other = np.flatnonzero((theirs != "") & (samples.splits != "") & (theirs != samples.splits))
    if len(other):
        first = int(other[0])
        place = f"{votes_file}: row {numbers[first] + 2}"
        raise DataError("votes and faces don't belong together", place, samples.splits[first], theirs[first])
    return apply_rule(samples, votes[numbers], label_rule)


def _row_numbers(samples: Samples) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    assert isinstance(samples.pictures, ArrayPictures)
    return samples.pictures.numbers[samples.rows]


def _read_two_files(folder: Path, labels: LabelSet | None, numbers: LabelSet | None, faults: Faults) -> Samples:
    parts = [_read_file(folder / _TRAIN, labels, numbers, faults, split="train")]
    test, test_labels = folder / _TEST, folder / _TEST_LABELS
    if holds_pixels(test_labels):
        parts.append(_read_file(test_labels, labels, numbers, faults, split="test"))
    elif test.is_file() and test_labels.is_file():
        parts.append(_read_file(test, labels, numbers, faults, split="test", emotions=_read_emotions(test_labels)))
    elif test.is_file() and "emotion" in header_of(test):
        parts.append(_read_file(test, labels, numbers, faults, split="test"))
    joined = Samples.concat(parts)
    return replace(joined, source=str(folder))


def _read_emotions(path: Path) -> list[str]:
    return [row["emotion"] for _, row in _rows(path, ("emotion",), Faults())]


def _read_file(
    path: Path,
    labels: LabelSet | None,
    numbers: LabelSet | None,
    faults: Faults,
    split: str = "",
    emotions: list[str] | None = None,
) -> Samples:
    spool, side = PictureSpool(), 0
    row_numbers: list[int] = []
    words: list[str] = []
    splits: list[str] = []
    columns: dict[str, list[str]] = {}
    needed = ("pixels",) if emotions is not None else ("emotion", "pixels")
    for number, row in _rows(path, needed, faults):
        place = f"{path}: row {number}"
        text = row.pop("pixels")
        if emotions is not None and number - 2 >= len(emotions):
            raise DataError("more faces than labels", place, f"{len(emotions)} rows, as {_TEST_LABELS} has", "one more")
        word = row.pop("emotion", None) if emotions is None else emotions[number - 2]
        pixels = _pixels(text, side, place, faults)
        if pixels is None:
            continue
        side = side or math.isqrt(len(pixels))
        spool.append(pixels)
        row_numbers.append(number)
        words.append((word or "").strip())
        splits.append(row.pop("usage", split))
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    if not row_numbers:
        got = f"{len(faults.found)} faults" if faults.found else "no row"
        raise DataError("no usable face in it", str(path), "rows of emotion and pixels", got)
    if emotions is not None and not faults.found and row_numbers[-1] - 1 < len(emotions):
        got = f"{row_numbers[-1] - 1}"
        raise DataError("fewer faces than labels", str(path), f"{len(emotions)} rows, as {_TEST_LABELS} has", got)
    label_set, position = _match_words(path, words, row_numbers, labels, numbers, faults)
    samples = Samples(
        ArrayPictures(spool.array(side, side), str(path), row_numbers),
        np.arange(len(row_numbers)),
        label_set,
        np.array([position.get(word, 0) for word in words], np.int64),
        np.array(splits, np.str_),
        str(path),
        columns={name: np.array(values, np.str_) for name, values in columns.items()},
    )
    return samples.subset([word in position for word in words])


def _rows(path: Path, needed: tuple[str, ...], faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV by column, with the row number that a spreadsheet shows (the header is row 1)."""
    # the pixels of a face of 200 x 200 are more than csv takes for one field
    csv.field_size_limit(max(csv.field_size_limit(), 1 << 24))
    number = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv_rows(file)
            names = column_names(reader, path)
            missing = [name for name in needed if name not in names]
            if missing:
                got = ", ".join(names) or "an empty file"
                raise DataError(f"no column {missing[0]}", str(path), f"columns {', '.join(needed)}", got)
            names = [sys.intern(name) for name in names]
            for number, fields in whole_rows(reader, names, path, faults):
                yield number, dict(zip(names, fields, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("the table can't be read", f"{path}: after row {number}", "a CSV file", str(error)) from error


def _pixels(text: str, side: int, place: str, faults: Faults) -> bytes | None:
    """The pixels of a row, or None for a fault."""
    usual = _usual_pixels(text)
    if usual is not None and len(usual) == (side or math.isqrt(len(usual))) ** 2:
        return usual
    words = text.split()
    expected = side * side or len(words)
    if math.isqrt(expected) ** 2 != expected or expected == 0:
        expected = 48 * 48
    if len(words) != expected:
        root = math.isqrt(expected)
        faults.add("wrong number of pixels", place, f"{expected} ({root} x {root})", str(len(words)))
        return None
    try:
        return bytes(map(_PIXEL.__getitem__, words))
    except KeyError as error:
        at = words.index(error.args[0])
        faults.add(f"wrong value of pixel {at + 1}", place, "a whole number from 0 to 255", repr(error.args[0]))
        return None


def _usual_pixels(text: str) -> bytes | None:
    """The pixels of a row without any fault, in a quarter of the time; None where there is something to look at."""
    if not text.isascii():
        return None
    digits = np.frombuffer(text.encode(), np.uint8) - ord("0")
    gaps = np.flatnonzero(digits > 9)
    ends = np.append(gaps, len(digits))
    lengths = np.diff(ends, prepend=-1) - 1
    if not text or (digits[gaps] != (ord(" ") - ord("0")) % 256).any() or lengths.min() < 1 or lengths.max() > 3:
        return None
    values = digits[ends - 1].astype(np.int16)
    for place in (2, 3):
        values += np.where(lengths >= place, 10 ** (place - 1) * digits[ends - place].astype(np.int16), 0)
    return values.astype(np.uint8).tobytes() if values.max() <= 255 else None


def _match_words(
    path: Path,
    words: list[str],
    row_numbers: list[int],
    labels: LabelSet | None,
    numbers: LabelSet | None,
    faults: Faults,
) -> tuple[LabelSet, dict[str, int]]:
    """The label set, and the position of every word of the column emotion: a number or a name."""
    first: dict[str, str] = {}
    for word, number in zip(words, row_numbers, strict=True):
        first.setdefault(word, f"{path}: row {number}")
    numbering = _numbering(path, first, labels, numbers)
    known: dict[str, str] = {}
    for word, place in first.items():
        if word.isdecimal() and word not in numbering and numbered_label(word, numbering) is None:
            hint = f"; or {SAID_BY}" if labels is None and path.name not in WITH_USAGE else ""
            expected = f"0 to {len(numbering) - 1} or a name{hint}"
            faults.add("wrong emotion", place, expected, repr(word))
        else:
            known[word] = place
    return match_words(known, labels or numbering, numbering, faults)


def _numbering(path: Path, words: Iterable[str], labels: LabelSet | None, numbers: LabelSet | None) -> LabelSet:
    """What numbers are positions in: the challenge's own labels, unless the user's set has others than these.

    In a file of the challenge's name they are the challenge's, as long as the user's set has one of its labels.
    `numbers` come in where they are more than the challenge's, and so are the file's: then it is not the challenge's.
    """
    if labels is not None:
        known = [label in FER7 for label in labels]
        return FER7 if all(known) or (any(known) and path.name in WITH_USAGE) else labels
    more = numbers is not None and len(numbers) > len(FER7) and path.name not in WITH_USAGE
    return (counted_in(path, words, numbers) if more else None) or FER7
