"""What is looked at: sources of every kind, and what can be no source or no input."""

from __future__ import annotations

import csv
import errno
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clips import across, write_clip
from scale_files import local, rows, sources

from facemotion import DataError
from facemotion.scale.job import Format
from facemotion.scale.places import Place
from facemotion.scale.plan import make_parts
from facemotion.scale.sources import find_inputs

# an address as they write it elsewhere would have these spelt otherwise, or would end before them
SIGNS = ["a b.png", "c#1.png", "d e.png", "d%20e.png", "g?k=v.png", "h[1].png", "sub dir?k=v/a.png", "ü.png", "w?.png"]


def test_a_source_of_every_kind(faces: Path, weights: Path, tmp_path: Path) -> None:
    names = [str(path) for path in sorted((faces / "1").iterdir())]
    relative = [f"1/{Path(name).name}" for name in names]
    (faces / "list.txt").write_text("".join(f"{name}\n" for name in relative) + "\n")
    pq.write_table(pa.table({"label": range(20), "path": relative}), faces / "one.parquet")
    pq.write_table(pa.table({"photo": names}), tmp_path / "other.parquet")
    try:
        found = []
        for number, (source, options) in enumerate(
            [
                (faces / "1", {}),
                (f"{faces}/1/*.png", {}),
                (faces / "list.txt", {}),
                (faces / "one.parquet", {}),
                (tmp_path / "other.parquet", {"column": "photo"}),
                (names, {}),
                (f"file://{faces}/1", {}),
            ]
        ):
            out = tmp_path / f"out{number}"
            assert local(source, out, weights, **options).inputs == 20
            found.append([rows(out, "faces"), sources(out, "errors")])
        address = found.pop()
        assert all(each == found[0] for each in found)
        assert address[1] == [f"file://{name}" for name in found[0][1]]
        assert [{**row, "source": f"file://{row['source']}"} for row in found[0][0]] == address[0]
        with pytest.raises(DataError, match="no column of paths"):
            local(tmp_path / "other.parquet", tmp_path / "none", weights)
    finally:
        (faces / "list.txt").unlink()
        (faces / "one.parquet").unlink()


@pytest.mark.parametrize("pattern", ["**/*.png", "*/*.png"])
def test_a_pattern_that_can_t_search_a_folder_is_refused(
    faces: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    shutil.copytree(faces / "1", tmp_path / "photos" / "1")
    (tmp_path / "photos" / "locked").mkdir()
    scandir = os.scandir

    def refuse(path: str | Path) -> object:  # the tests may run as root, who may read everything
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"locked: it can't be read: got Permission denied"):
        local(f"{tmp_path}/photos/{pattern}", tmp_path / "out", weights)


def test_names_and_tables_that_cannot_be_read_are_refused(weights: Path, tmp_path: Path) -> None:
    listed, table = tmp_path / "list.txt", tmp_path / "table.parquet"
    listed.write_bytes("Käse.png".encode("latin-1"))
    table.write_bytes(b"not a table")
    footless, folder = tmp_path / "footless.parquet", tmp_path / "tables"
    pq.write_table(pa.table({"path": ["a.png"]}), footless)
    whole = footless.read_bytes()
    footless.write_bytes(whole[:-30] + b"\xff" * 18 + whole[-12:])
    folder.mkdir()
    shutil.copy(footless, folder / "2.parquet")
    (folder / "1.parquet").write_bytes(whole)
    for source in (listed, table, footless, folder):
        with pytest.raises(DataError, match="expected Parquet, and names in UTF-8") as raised:
            local(source, tmp_path / "out", weights)
        assert raised.value.place == str(folder / "2.parquet" if source == folder else source)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_password_in_an_address_is_refused_before_a_table_keeps_it(
    faces: Path, weights: Path, tmp_path: Path
) -> None:
    address, listed = "s3://key:secret@bucket/a.png", tmp_path / "list.txt"
    listed.write_text(f"a.png\n{address}\n")
    for source, out in ((address, tmp_path / "out"), (listed, tmp_path / "out"), (faces, address)):
        with pytest.raises(DataError, match="the key or password in this address would stand in") as raised:
            local(source, out, weights)
        assert raised.value.place == "s3://key:***@bucket/a.png"
        assert "secret" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_name_that_is_not_utf8_is_an_error_and_the_rest_is_done(
    faces: Path, astronaut: np.ndarray, weights: Path, tmp_path: Path, form: Format
) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    below = folder / os.fsdecode(b"d\xe9j\xe0")
    below.mkdir(parents=True)
    picture = next((faces / "1").glob("*.png"))
    names = [folder / "a.png", below / "b.png", folder / os.fsdecode(b"e\xff.png"), folder / "f.png"]
    for name in names:
        shutil.copy(picture, name)
    clip = folder / os.fsdecode(b"\xff.avi")
    write_clip(clip.with_name("z.avi"), astronaut, [across(0, 150, 60)], 0.2, code="MJPG")
    clip.with_name("z.avi").rename(clip)
    wanted = {
        "faces": [str(folder / "a.png"), str(folder / "f.png")],
        "errors": [f"{folder}/d\\udce9j\\udce0/b.png", f"{folder}/e\\udcff.png", f"{folder}/\\udcff.avi"],
    }
    for number, source in enumerate([folder, [*map(str, names), str(clip)]]):
        outcome = local(source, out / str(number), weights, format=form, retries=0)
        assert (outcome.inputs, outcome.errors) == (5, 3)
        for table, told in wanted.items():
            [path] = (out / str(number) / table).iterdir()
            with path.open(encoding="utf-8", newline="") if form == "csv" else nullcontext() as text:
                found = list(csv.DictReader(text)) if form == "csv" else pq.read_table(path).to_pylist()
            assert [row["source"] for row in found] == told
            if table == "errors":
                assert {row["reason"] for row in found} == {
                    "its name is not UTF-8, so that no table can hold it: rename it"
                }


def test_a_table_beside_pictures_is_no_source(faces: Path, weights: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(faces / "1", photos)
    pq.write_table(pa.table({"x": [1]}), photos / "meta.parquet")
    (photos / "gone.png").symlink_to("nothing")
    assert local(photos, tmp_path / "out", weights).inputs == 20


def test_a_folder_of_tables(faces: Path, weights: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    names = [str(path) for path in sorted((faces / "1").iterdir())]
    for number in (2, 1):
        pq.write_table(pa.table({"path": names[number::3]}), tables / f"{number}.parquet")
    (tables / "_SUCCESS").touch()
    (tables / ".1.parquet.crc").touch()
    assert local(tables, tmp_path / "out", weights).inputs == 13
    done = sources(tmp_path / "out", "faces")
    assert done == [name for name in names[1::3] + names[2::3] if name in done]


def test_results_do_not_go_where_the_pictures_are(faces: Path, weights: Path, tmp_path: Path) -> None:
    photos, link = tmp_path / "photos", tmp_path / "link"
    shutil.copytree(faces / "1", photos)
    link.symlink_to(photos)
    for source, out in [(photos, photos), (link, photos / ".." / "photos"), (f"file://{photos}/", photos)]:
        with pytest.raises(DataError, match="the source can't take the results"):
            local(source, out, weights)
    assert len(list(photos.iterdir())) == 20


def test_names_at_an_address_are_names_to_the_letter(faces: Path, weights: Path, tmp_path: Path) -> None:
    photos = tmp_path / "my photos"
    for name, picture in zip(SIGNS, sorted((faces / "1").iterdir())[5:], strict=False):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, photos / name)
    local(photos, tmp_path / "here", weights)
    local(f"file://{photos}", f"file://{tmp_path}/my #1 results%20", weights)
    (found := rows(tmp_path / "my #1 results%20", "faces")).sort(key=lambda row: row["source"])
    assert [row["source"] for row in found] == [f"file://{photos}/{name}" for name in sorted(SIGNS)]
    assert found == [{**row, "source": f"file://{row['source']}"} for row in rows(tmp_path / "here", "faces")]


def test_what_is_found_at_an_address_with_options_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is not there: what it would be asked for."""
    names = [*SIGNS[:6], "moving.mp4", "ü.png", "w?.png"]
    monkeypatch.setattr(Place, "is_folder", lambda place: place.path.endswith("photos"))
    monkeypatch.setattr(Place, "names", lambda place: [(name, False) for name in names])
    for scheme, options in (("s3", "?region=eu-west-1&endpoint_override=localhost:9000"), ("gs", "")):
        found = list(find_inputs(f"{scheme}://bucket/photos/{options}", None))
        assert [Place.at(each).path for each in found] == [f"bucket/photos/{name}" for name in names]
        assert found[0] == f"{scheme}://bucket/photos/a b.png{options}"
        assert [part.span is not None for part in make_parts(found, 99, 60)] == [False, True, False]


def test_why_a_file_at_an_address_can_t_be_read_is_told(weights: Path, tmp_path: Path) -> None:
    names = [f"file://{tmp_path}/no such.png", "nothing://a.png", "gs://bucket/a.png?color=red"]
    assert local(names, tmp_path / "out", weights, retries=0).errors == len(names)
    assert [row["reason"] for row in rows(tmp_path / "out", "errors")] == [
        "no such file",
        "the file can't be fetched: got Unrecognized filesystem type in URI: nothing://a.png",
        "the file can't be fetched: got Unexpected query parameter in GCS URI: 'color'",
    ]


def test_a_list_at_an_address_starts_at_its_folder(
    faces: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(faces / "1", tmp_path / "photos #1")
    (tmp_path / "lists").mkdir()
    names = [f"../photos #1/{path.name}" for path in sorted((faces / "1").iterdir())]
    (tmp_path / "lists" / "list.txt").write_text("\n".join(names))
    pq.write_table(pa.table({"path": names}), tmp_path / "lists" / "table.parquet")
    wanted = [f"file://{path}" for path in sorted((tmp_path / "photos #1").iterdir())]
    monkeypatch.chdir("/")
    for name in ("list.txt", "table.parquet"):
        out = tmp_path / f"of {name}"
        local(f"file://{tmp_path}/lists/{name}", out, weights)
        assert sorted(sources(out, "faces") + sources(out, "errors")) == wanted
        # of these 20 two are broken
        assert len(sources(out, "errors")) == 2


@pytest.mark.parametrize("options", ["", "?region=eu-west-1&endpoint_override=localhost:9000"])
def test_what_a_list_at_an_address_names_is_asked_for_with_its_options(
    options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is not there: what it would be asked for."""
    (tmp_path / "list").write_text("a.png\n./b?.png\n../c.png\ns3://other/d.png\n/e.png\n~/f.png")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setattr(Place, "of", lambda name: Place(pa.fs.LocalFileSystem(), str(tmp_path / "list")))
    assert list(find_inputs(f"s3://bucket/lists/list.txt{options}", None)) == [
        *(f"s3://bucket/{name}{options}" for name in ("lists/a.png", "lists/b?.png", "c.png")),
        *("s3://other/d.png", "/e.png", "/home/somebody/f.png"),
    ]
