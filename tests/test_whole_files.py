"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from facemotion.whole_files import growing, write_together


def test_a_file_that_is_not_written_to_its_end_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("before")
    with pytest.raises(ZeroDivisionError), growing(tmp_path / "table") as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("table", "before")]


def test_files_take_their_places_in_their_order_once_all_of_them_are_written(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()  # which no file replaces
    contents = {"first": b"1", "second": b"2", "third": b"3"}
    with pytest.raises(OSError, match="second"):
        write_together(tmp_path, contents)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
    (tmp_path / "second").rmdir()
    write_together(tmp_path, contents)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
