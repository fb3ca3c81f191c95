"""The command line where hardly anything is as it should be: streams, names, homes, disks."""

from __future__ import annotations

import csv
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have other streams, names and mounts")


def bash(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which $RUN is the program; nothing is fetched."""
    variables = {**os.environ, "HF_HUB_OFFLINE": "1", "RUN": f"{sys.executable} -m facemotion", **environment}
    command = ["bash", "-c", line]
    return subprocess.run(command, env=variables, capture_output=True, text=True, errors="replace", check=False)


@pytest.mark.parametrize(("closing", "code"), [("<&- >&- 2>&-", 0), (">/dev/full", 1)])
def test_closed_and_full_streams(astronaut_path: Path, tmp_path: Path, closing: str, code: int) -> None:
    done = bash(f"$RUN predict {astronaut_path} --csv {tmp_path}/a.csv {closing}")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if code:  # a table is begun with its first row
        assert list(tmp_path.iterdir()) == []
        return
    # nobody else wrote into it, though its number may be that of a closed stream
    table = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    assert table[0].startswith("source,face,label")
    assert len(table) == 2


def test_odd_names_where_the_locale_knows_ascii_alone(astronaut_path: Path, tmp_path: Path) -> None:
    names = [b"two\nlines.jpg", b"quo'te\"d.jpg", b"\xff\xfe.jpg", b"\x1b]0;mine\x07.jpg", "日本é.jpg".encode()]
    odd = tmp_path / "odd"
    odd.mkdir()
    for name in names:
        shutil.copy(astronaut_path, os.fsencode(odd) + b"/" + name)
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    options = f"--csv {tmp_path}/a.csv --annotate {tmp_path}/annotated --crops {tmp_path}/crops"
    done = bash(f"$RUN predict {odd} {odd}/$'no\\nsuch\\x1b.jpg' {options}", **locale)
    assert (done.returncode, done.stderr) == (1, f"facemotion: {odd}/no\\nsuch\\x1b.jpg: no such file\n")
    assert len(done.stdout.splitlines()) == 6
    assert "\x1b" not in done.stdout
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 5
    assert len(list((tmp_path / "annotated").iterdir())) == len(list((tmp_path / "crops").iterdir())) == 5
    done = bash(f"$RUN predict {odd} --json | head -n 3; exit ${{PIPESTATUS[0]}}", **locale)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(json.loads(line)["source"].startswith(str(odd)) for line in done.stdout.splitlines())


def test_what_pillow_finds_odd_is_no_line_on_stderr(astronaut_path: Path, tmp_path: Path) -> None:
    """A camera's unsound EXIF, of which Pillow warns in two lines of its own code; and a picture beyond its limit."""
    whole = astronaut_path.read_bytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHII", 1, 0x010F, 2, 4000, 900)
    odd, huge = tmp_path / "odd.jpg", tmp_path / "huge.png"
    odd.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:])
    Image.new("1", (9_500, 9_500)).save(huge)
    done = bash(f"$RUN predict {odd} {huge}")
    assert "happy" in done.stdout
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"facemotion: {huge}: the picture is too large: ")


def test_a_file_that_may_grow_no_further(astronaut_path: Path, tmp_path: Path) -> None:
    """Pillow leaves out the end of a JPEG and says nothing: that would take the place of a whole one."""
    predict = f"$RUN predict {astronaut_path} --annotate {tmp_path}/out"
    assert bash(predict).returncode == 0
    [whole] = (tmp_path / "out").iterdir()
    before = whole.read_bytes()
    done = bash(f"ulimit -f {len(before) // 1024}; {predict}")
    assert (done.returncode, done.stderr) == (1, f"facemotion: {whole} can't be written: File too large\n")
    assert [(path, path.read_bytes()) for path in (tmp_path / "out").iterdir()] == [(whole, before)]


def test_a_table_that_can_t_be_written_is_named(astronaut_path: Path) -> None:
    done = bash(f"$RUN predict {astronaut_path} --csv /dev/full")
    assert (done.returncode, done.stderr) == (1, "facemotion: /dev/full can't be written: No space left on device\n")


def test_a_folder_that_was_deleted_under_one_s_feet_is_told(astronaut_path: Path, tmp_path: Path) -> None:
    gone = f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; "
    told = "the folder that this runs in was deleted, so that no relative name leads anywhere: cd to another\n"
    done = bash(f"{gone} $RUN predict {astronaut_path}")
    assert (done.returncode, done.stderr) == (0, told)
    done = bash(f"{gone} $RUN predict {astronaut_path} --csv faces.csv")
    assert (done.returncode, done.stderr.startswith(told)) == (1, True)


def test_nothing_is_kept_about_the_user(astronaut_path: Path, tmp_path: Path) -> None:
    """onnxruntime gives each user a number and sends figures home, unless it is told not to."""
    done = bash(f"$RUN predict {astronaut_path}", HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "home").exists()


@pytest.fixture
def namespaces() -> None:
    """Mounts that nobody else sees, and a user whom nobody knows."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode:
        pytest.skip("unshare is not allowed here: what needs mounts of its own is not tested")


@pytest.mark.usefixtures("namespaces")
def test_no_home_and_nobody_knows_the_user() -> None:
    alone = "unshare -U --map-user=12345 env -u HOME -u TMPDIR $RUN weights"
    done = bash(f"{alone} list && {alone} fetch yunet")
    assert done.returncode == 1
    assert "fast-8class" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("facemotion: yunet was not found in the cache (~/.cache/")


@pytest.mark.usefixtures("namespaces")
def test_a_folder_that_may_not_be_read_is_said(astronaut_path: Path, tmp_path: Path) -> None:
    for name, rights in (("closed", 0o000), ("names alone", 0o444)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(astronaut_path, tmp_path / "photos" / name / "a.jpg")
        (tmp_path / "photos" / name).chmod(rights)
    shutil.copy(astronaut_path, tmp_path / "photos")
    # root may read everything, its own files too; nobody else may
    done = bash(f"unshare -U --map-user=12345 $RUN predict {tmp_path}/photos")
    call = f"predict_dataset('{tmp_path}/photos', '{tmp_path}/out', engine='local')"
    code = f"from facemotion.scale import predict_dataset; {call}"
    many = bash(f'unshare -U --map-user=12345 {sys.executable} -c "{code}"')
    for name in ("closed", "names alone"):
        (tmp_path / "photos" / name).chmod(0o755)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.splitlines() == [
        f"facemotion: {tmp_path}/photos/{name}: it can't be opened: got Permission denied"
        for name in ("closed", "names alone/a.jpg")
    ]
    last = many.stderr.splitlines()[-1]
    assert last == f"facemotion.errors.DataError: {tmp_path}/photos/closed: it can't be read: got Permission denied"


@pytest.mark.usefixtures("namespaces")
def test_a_home_that_can_t_be_written_and_no_temporary_folder(astronaut_path: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    mounts = f"mount -t tmpfs -o ro none {tmp_path}/home && mount -t tmpfs -o ro none /var/tmp && cd {tmp_path}/home"
    line = f"{mounts} && HOME={tmp_path}/home TMPDIR=/nowhere $RUN predict {astronaut_path}"
    done = bash(f"unshare -Urm bash -c '{line}'")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    ("command", "whole"), [("predict {} --annotate full", ".jpg"), ("weights fetch fast-7class --to full/w", "g.json")]
)
def test_a_full_disk_is_said_and_leaves_nothing_that_looks_whole(
    astronaut_path: Path, tmp_path: Path, command: str, whole: str
) -> None:
    (tmp_path / "full").mkdir()
    run = f"$RUN {command.format(astronaut_path)}"
    line = f"mount -t tmpfs -o size=8k none full && {run}; code=$?; find full -type f; exit $code"
    done = bash(f"cd {tmp_path} && unshare -Urm bash -c '{line}'")
    assert done.returncode == 1
    assert done.stderr.startswith("facemotion: ")
    assert "No space left on device" in done.stderr
    assert not [name for name in done.stdout.splitlines() if name.endswith(whole)]
