"""CSV files as people save them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TextIO

from facemotion.data.faults import Faults
from facemotion.errors import DataError

# what people call the column with the path of a picture
PATH_NAMES = (
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "img",
    "img_path",
)

# Excel's own first line, which names what separates the others; spreadsheets neither show nor count it
_SEPARATOR_LINE = re.compile(r'"?sep=([;,|\t])"?\s*', re.IGNORECASE)


@contextmanager
def opened_table(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """The names of a CSV's columns and the rows below them; a DataError where it can't be read, then or later."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv_rows(file)
            yield column_names(rows, path), rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("the table can't be read", str(path), "a CSV file", str(error)) from error


def csv_rows(file: TextIO) -> Iterator[list[str]]:
    """The rows of a CSV, the header first: separated by what its first line says, else by what the header has more of.

    Excel takes semicolons where commas are decimal.
    """
    header = next(file, "")
    if said := _SEPARATOR_LINE.fullmatch(header):
        return csv.reader(file, delimiter=said[1])
    bare = re.sub(r'"[^"]*"', "", header)
    delimiter = ";" if bare.count(";") > bare.count(",") else ","
    return csv.reader(chain([header], file), delimiter=delimiter)


def column_names(rows: Iterator[list[str]], path: Path) -> list[str]:
    """The header, in lower case; none where there is none. Of two columns of one name one would be lost."""
    names = [name.strip().lower() for name in next(rows, [])]
    twice = next((name for at, name in enumerate(names) if name and name in names[:at]), None)
    if twice is not None:
        raise DataError("two columns of one name", str(path), "each name once", repr(twice))
    return names


def numbered_rows(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """What stands below a header, each row with the number that a spreadsheet shows.

    Rows with nothing in them, as Excel leaves them behind, are none.
    """
    for number, fields in enumerate(rows, start=2):
        stripped = [each.strip() for each in fields]
        if any(stripped):
            yield number, stripped


def whole_rows(
    rows: Iterator[list[str]], names: Sequence[str], path: Path, faults: Faults
) -> Iterator[tuple[int, list[str]]]:
    """As `numbered_rows`, those alone that have a field for each name; another one is a fault."""
    for number, fields in numbered_rows(rows):
        if len(fields) == len(names):
            yield number, fields
        else:
            expected = f"{len(names)} fields ({', '.join(names)})"
            faults.add("the row is cut or too long", f"{path}: row {number}", expected, str(len(fields)))


def header_of(path: Path) -> list[str]:
    """The names of a CSV's columns, lower case; [] where it has none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [name.strip().lower() for name in next(csv_rows(file), [])]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
