"""The command line as a shell sees it: what goes where, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from facemotion import FacemotionError, __version__
from facemotion.cli import main as frame


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "facemotion", *arguments], capture_output=True, text=True, **options)


def test_help_lists_every_command_and_each_has_an_example() -> None:
    text = run("--help").stdout
    for name in frame._COMMANDS:
        assert f"  {name} " in text
        done = run(name, "--help")
        assert done.returncode == 0
        assert "Example: facemotion" in done.stdout


def test_the_version() -> None:
    assert run("--version").stdout == f"facemotion {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["predict", "a.jpg", "--csv", "-"], ["predict", "a.jpg", "--crops", "-"], ["export", "fast-7class", "-"]],
)
def test_a_dash_is_no_file(arguments: list[str], tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "nothing of this goes to stdout: name a place, or ./- where it is called so" in done.stderr


@pytest.mark.parametrize("arguments", [["nonesuch"], ["--nonesuch"], ["doctor", "extra"], ["predict", ""]])
def test_wrong_usage_is_exit_2_on_stderr(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (FacemotionError("this failed, because of that"), 1, "facemotion: this failed, because of that"),
        (OSError(28, "No space left on device", "a/b"), 1, "facemotion: a/b: No space left on device"),
        (KeyboardInterrupt(), 130, "facemotion: interrupted"),
        (frame._Terminated(), 143, "facemotion: terminated"),
    ],
)
def test_how_a_command_ends_is_its_exit_code_and_one_line(
    raised: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setattr(frame.cli.commands.setdefault("x", frame.click.Command("x", callback=fail)), "callback", fail)
    monkeypatch.setattr(frame._LazyGroup, "get_command", lambda self, ctx, name: self.commands["x"])
    assert frame._run(["x"]) == code
    assert capsys.readouterr().err.strip() == line


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_real_process_with_143(name: str) -> None:
    code = """
import time, facemotion.cli.main as frame
frame.cli.main = lambda *arguments, **options: (print("up", flush=True), time.sleep(30))
frame.main([])
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.Signals[name])
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 143
    assert errors == "facemotion: terminated\n"


def test_a_read_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "nobody-writes.jpg"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "facemotion", "predict", str(pipe), "--detector", "whole"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        held = opened_by_a_reader(pipe)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        os.close(held)
    finally:
        process.kill()
    assert (process.returncode, errors) == (143, "facemotion: terminated\n")


def opened_by_a_reader(pipe: Path) -> int:
    """The end to write at of a pipe that somebody has begun to read."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):  # nobody reads yet
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    pytest.fail("the pipe is not read")


@pytest.mark.parametrize("arguments", [["predict", "absent.jpg"], ["predict", "absent*.jpg"], ["video", "absent.mp4"]])
def test_what_goes_wrong_has_a_traceback_under_vv_alone(tmp_path: Path, arguments: list[str]) -> None:
    for more, count in ([], 0), (["-v"], 0), (["-vv"], 1):
        command = [sys.executable, "-m", "facemotion", *more, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.count("Error: absent") == count
        assert done.stderr.splitlines()[-1].startswith("facemotion: absent")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m facemotion doctor | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
