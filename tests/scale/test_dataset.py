"""Many files in one process: the tables, what they are of, and going on after a kill."""

from __future__ import annotations

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from scale_files import BROKEN, PICTURES, colour, files, local, rows, sources

from facemotion import DataError, FacemotionError, UnknownNameError
from facemotion.cli.main import _run
from facemotion.devices import cpu_threads
from facemotion.opencv import cv2
from facemotion.scale import Progress, predict_dataset
from facemotion.scale.job import Layout
from facemotion.scale.places import Place
from facemotion.scale.starts import Starts

RUN = """
import sys
from facemotion.scale import predict_dataset
source, out, weights, detector = sys.argv[1:]
predict_dataset(source, out, weights=weights, detector=detector, engine="local", part_size=4,
                progress=lambda progress: print(progress.done, flush=True))
"""


def process(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def undisturbed(faces: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of all faces, of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("undisturbed")
    outcome = local(faces, out, weights, part_size=4)
    assert (outcome.inputs, outcome.errors, outcome.parts, outcome.done_before) == (PICTURES, len(BROKEN), 15, 0)
    return out


def test_the_threads_of_the_caller_are_its_own_again(faces: Path, weights: Path, tmp_path: Path) -> None:
    before = cpu_threads(), cv2.getNumThreads()
    local(faces, tmp_path / "out", weights, threads=1)
    assert (cpu_threads(), cv2.getNumThreads()) == before


def test_the_rows_are_those_of_the_command_predict(
    astronaut_path: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    shutil.copy(astronaut_path, photos / "b.jpg")
    shutil.copy(astronaut_path, photos / "below" / "a.jpg")
    colour(photos / "a.png", 90, 90, 90)
    (photos / "c.jpg").write_text("no picture")
    (photos / ".hidden.jpg").write_text("not looked at")
    (photos / "notes.txt").write_text("not looked at")
    assert _run(["predict", str(photos), "--weights", str(weights), "--csv", str(tmp_path / "faces.csv")]) == 1
    said = capsys.readouterr().err.strip()
    local(photos, tmp_path / "csv", weights, detector="auto", format="csv")
    [table] = (tmp_path / "csv" / "faces").iterdir()
    assert table.read_text("utf-8") == (tmp_path / "faces.csv").read_text("utf-8")
    [errors] = (tmp_path / "csv" / "errors").iterdir()
    [header, error] = csv.reader(errors.read_text("utf-8").splitlines())
    assert header == ["source", "reason"]
    assert said == f"facemotion: {error[0]}: {error[1]}"

    local(photos, tmp_path / "parquet", weights, detector="auto")
    wanted = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    found = rows(tmp_path / "parquet", "faces")
    assert [list(row) for row in found] == [list(row) for row in wanted]
    for got, row in zip(found, wanted, strict=True):
        for name, text in row.items():
            value = got[name]
            same = value == pytest.approx(float(text), abs=0.006) if isinstance(value, float) else str(value) == text
            assert same or (value is None and text == "")


def test_every_input_is_in_exactly_one_table(undisturbed: Path, faces: Path) -> None:
    inputs = [str(path) for path in sorted(faces.rglob("*.png"))]
    broken = [inputs[number] for number in BROKEN]
    assert sources(undisturbed, "errors") == broken
    assert sources(undisturbed, "faces") == [path for path in inputs if path not in broken]
    for row in rows(undisturbed, "errors"):
        assert row["reason"].startswith(("the picture is damaged", "not a picture"))


def test_a_killed_run_goes_on_and_nothing_is_lost_or_done_again(
    undisturbed: Path, faces: Path, weights: Path, tmp_path: Path
) -> None:
    out, written = tmp_path / "out", {}
    for parts in (3, 5):
        with process(faces, out, weights, "whole") as run:
            for _ in range(parts):
                assert run.stdout is not None
                assert run.stdout.readline()
            run.send_signal(signal.SIGKILL)
        before, written = written, {name: when for name, when in files(out).items() if ".work" not in name}
        assert before.items() <= written.items()
        assert 0 < len(list((out / "faces").glob("*.parquet"))) < 15
    outcome = local(faces, out, weights, part_size=4)
    assert outcome.done_before >= 8
    finished = files(out)
    assert {name: when for name, when in written.items() if not name.endswith(".part")}.items() <= finished.items()
    assert finished.keys() == files(undisturbed).keys()
    assert [rows(out, name) for name in ("faces", "errors")] == [
        rows(undisturbed, name) for name in ("faces", "errors")
    ]
    # and once more: there is nothing to do
    assert local(faces, out, weights, part_size=4).done_before == 15
    assert files(out) == finished


def test_other_inputs_or_settings_are_refused(undisturbed: Path, faces: Path, weights: Path, tmp_path: Path) -> None:
    before = files(undisturbed)
    for options, key in [
        ({"batch_size": 16}, "batch_size"),
        ({"format": "csv"}, "format"),
        ({"part_size": 5}, "part_size"),
        ({"segment_seconds": 5.0}, "segment_seconds"),
    ]:
        with pytest.raises(DataError, match=f"a run with other {key} was begun there"):
            local(faces, undisturbed, weights, **{"part_size": 4, **options})
    with pytest.raises(DataError, match="other inputs"):
        local(faces / "0", undisturbed, weights, part_size=4)
    with pytest.raises(UnknownNameError, match="no detector is named"):
        local(faces, tmp_path / "new", weights, detector="nonesuch")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no picture and no clip in it"):
        local(tmp_path / "empty", tmp_path / "new", weights)
    with pytest.raises(DataError, match="no such folder or file"):
        local(tmp_path / "absent", tmp_path / "new", weights)
    with pytest.raises(ValueError, match="retries: expected 0 or more"):
        local(faces, tmp_path / "new", weights, retries=-1)
    assert files(undisturbed) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"smooth": -1}, "smooth: expected seconds, 0 or more, got -1"),
        ({"smooth": math.nan}, "smooth: expected seconds, 0 or more, got nan"),
        ({"part_size": 0.5}, "part_size: expected 1 or more, a whole number, got 0.5"),
        ({"batch_size": 2.5}, "batch_size: expected 1 or more, a whole number, got 2.5"),
        ({"batch_size": 0}, "batch_size: expected 1 or more, a whole number, got 0"),
        ({"retries": 0.5}, "retries: expected 0 or more, a whole number, got 0.5"),
        ({"workers": 0}, "workers: expected 1 or more, a whole number, got 0"),
        ({"threads": -1}, "threads: expected 1 or more, a whole number, got -1"),
        ({"segment_seconds": math.nan}, "segment_seconds: expected a number above 0, got nan"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_the_work(
    faces: Path, weights: Path, tmp_path: Path, options: dict[str, float], says: str
) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        local(faces, tmp_path / "new", weights, **options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("text", ["[]", "3", '{"name": "my own run"}'])
def test_somebody_elses_run_json_is_left_alone(faces: Path, weights: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match="this file is not of a run of ours") as raised:
        local(faces, tmp_path, weights)
    assert raised.value.place == str(tmp_path / "run.json")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"run.json": text}


def test_what_can_be_read_after_a_stop_is_in_errors_no_more(faces: Path, weights: Path, tmp_path: Path) -> None:
    """Stopped after the errors of a part were written and before its faces; then the picture was mended."""
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    (photos / "mended.png").write_bytes(b"half a picture")
    assert local(photos, out, weights).errors == 1
    layout = Layout(Place.of(str(out)), "parquet")
    Starts.next(layout.note(0))
    layout.faces(0).delete()
    shutil.copy(next((faces / "1").glob("*.png")), photos / "mended.png")
    assert local(photos, out, weights).errors == 0
    assert sources(out, "faces") == [str(photos / "mended.png")]
    assert rows(out, "errors") == []


def test_what_failed_is_tried_again_as_the_guide_says(
    faces: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("photos/bad.png").write_bytes(b"half a picture")
    local("photos", Path("results"), weights)
    shutil.copy(next((faces / "1").glob("*.png")), "photos/bad.png")
    again = local(pq.read_table("results/errors")["source"].to_pylist(), Path("again"), weights)
    assert (again.inputs, again.errors) == (1, 0)
    assert sources(Path("again"), "faces") == ["photos/bad.png"]


def test_a_home_is_spelt_out(faces: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    photos = tmp_path / "home" / "photos"
    shutil.copytree(faces / "1", photos)
    assert local("~/photos", Path("~/results"), weights).out == str(tmp_path / "home" / "results")
    assert set(sources(tmp_path / "home" / "results", "faces")) <= {str(path) for path in photos.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    names = [f"~/photos/{path.name}" for path in photos.iterdir()]
    Path("list.txt").write_text("\n".join(names))
    for out, source in (("listed", "list.txt"), ("named", names)):
        local(source, Path(out), weights)
        assert set(sources(Path(out), "faces")) == set(sources(tmp_path / "home" / "results", "faces"))


@pytest.mark.skipif(sys.platform == "win32", reason="there no folder can be deleted while one is in it")
def test_a_folder_that_was_deleted_under_one_s_feet_is_told(
    faces: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FacemotionError, match="the folder that this runs in was deleted"):
        local(faces, tmp_path / "out", weights)
    assert not (tmp_path / "out").exists()


def test_results_go_to_an_address_too(undisturbed: Path, faces: Path, weights: Path, tmp_path: Path) -> None:
    predict_dataset(faces, f"file://{tmp_path}/out", weights=weights, detector="whole", engine="local", part_size=4)
    assert rows(tmp_path / "out", "faces") == rows(undisturbed, "faces")
    assert files(tmp_path / "out").keys() == files(undisturbed).keys()


def test_a_picture_that_kills_its_process_ends_in_errors(
    faces: Path, weights: Path, fragile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process each death ends the run; the same call again goes on, and in the end it is done."""
    monkeypatch.setenv("PYTHONPATH", str(fragile))
    folder = tmp_path / "faces"
    shutil.copytree(faces / "0", folder)
    colour(folder / "003-red.png", 255, 0, 0)
    colour(folder / "012-green.png", 0, 255, 0)
    codes = []
    while not codes or codes[-1] == -signal.SIGKILL:
        with process(folder, tmp_path / "out", weights, "fragile") as run:
            _, said = run.communicate()
        codes.append(run.returncode)
        assert len(codes) < 10, said
    # three times as it comes, and twice by itself
    assert codes == [-signal.SIGKILL] * 5 + [0]
    reasons = {Path(row["source"]).name: row["reason"] for row in rows(tmp_path / "out", "errors")}
    assert sorted(reasons) == ["003-red.png", "007.png", "012-green.png"]
    assert reasons["003-red.png"].startswith("the worker that looked at it ended 5 times")
    assert reasons["012-green.png"] == "RuntimeError: green pictures are too much"
    assert len(sources(tmp_path / "out", "faces")) == 19


@pytest.mark.parametrize("name", ["yellow.png", "yellow.avi"])
def test_a_stop_is_no_death(
    name: str, weights: Path, fragile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a file is looked at: the same call does it, though none may end its worker even once."""
    monkeypatch.syspath_prepend(fragile)
    (fragile / "stopped").unlink(missing_ok=True)
    colour(tmp_path / "yellow.png", 255, 255, 0)
    if name.endswith("avi"):
        clip = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
        clip.write(cv2.resize(cv2.imread(str(tmp_path / "yellow.png")), (32, 32)))
        clip.release()
    once = {"detector": "fragile", "retries": 0}
    with pytest.raises(KeyboardInterrupt):
        local(tmp_path / name, tmp_path / "out", weights, **once)
    outcome = local(tmp_path / name, tmp_path / "out", weights, **once)
    assert (outcome.errors, outcome.redone) == (0, 0)
    assert rows(tmp_path / "out", "errors") == []


def test_an_address_that_nothing_answers_to_costs_only_itself(faces: Path, weights: Path, tmp_path: Path) -> None:
    good = str(next((faces / "1").glob("*.png")))
    bad = ["foo://x/a.png", "foo://x/a.mp4", "s3:///a.png"]
    outcome = local([*bad, good], tmp_path / "out", weights)
    assert (outcome.inputs, outcome.errors) == (4, 3)
    assert sorted(sources(tmp_path / "out", "errors")) == sorted(bad)
    assert sources(tmp_path / "out", "faces") == [good]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_labels_that_are_called_like_columns_have_columns_of_their_own(
    form: str, faces: Path, weights: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(weights, tmp_path / "own")
    config = json.loads((own / "config.json").read_text("utf-8"))
    names = ["face", "label", "reason", "x1", "p_face", "frame", "time", "no face"][: len(config["labels"])]
    config["labels"] = names
    (own / "config.json").write_text(json.dumps(config), "utf-8")
    local(faces / "1", tmp_path / "out", own, format=form)
    table = pyarrow.dataset.dataset(tmp_path / "out" / "faces", format=form).to_table()
    [*_, face, label, reason, x1, p_face] = table.schema.names[: 9 + 5]
    assert (face, label, reason, x1, p_face) == ("p_face", "p_label", "reason", "p_x1", "p_p_face")
    assert len(set(table.schema.names)) == len(table.schema.names) == 9 + len(names)
    first = table.to_pylist()[0]
    assert first["face"] == 1
    assert first["label"] in names
    scores = [first[name] for name in table.schema.names[9:]]
    assert sum(scores) == pytest.approx(1, abs=1e-4)
    assert first["score"] == pytest.approx(max(scores), abs=1e-6)


def test_progress_tells_rate_and_time_left(faces: Path, weights: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    local(faces, tmp_path / "out", weights, part_size=20, progress=told.append)
    assert [(each.done, each.total) for each in told] == [(20, 60), (40, 60), (60, 60)]
    assert all(each.rate > 0 for each in told)
    assert told[0].seconds_left == pytest.approx(40 / told[0].rate)
    assert told[-1].seconds_left == 0
    assert str(told[-1]).startswith("60 of 60 pictures and frames, ")
    assert str(told[-1]).endswith(" a second, 0:00:00 left")


@pytest.mark.parametrize(("package", "code"), [("pyarrow", "import facemotion.scale"), ("ray", "RUN")])
def test_without_the_extra_one_line_says_what_to_install(
    package: str, code: str, faces: Path, weights: Path, tmp_path: Path
) -> None:
    if code == "RUN":
        code = f"""
from facemotion.scale import predict_dataset
predict_dataset({str(faces)!r}, {str(tmp_path)!r}, weights={str(weights)!r})"""
    hidden = f"import sys\nsys.modules[{package!r}] = None\n"
    done = subprocess.run([sys.executable, "-c", hidden + code], capture_output=True, text=True)
    [last] = done.stderr.splitlines()[-1:]
    assert last.startswith("facemotion.errors.MissingExtraError: ")
    assert "pip install 'facemotion[ray]'" in last
