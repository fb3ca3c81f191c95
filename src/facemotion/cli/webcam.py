"""`facemotion webcam`: the emotions of the faces before a camera, in a window or as lines."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facemotion.cli.paths import FILE
from facemotion.cli.recognition import (
    csv_option,
    load_recognizer,
    mp4_path,
    quiet_opencv,
    recognizer_options,
    refuse_to_overwrite,
)

if TYPE_CHECKING:
    from facemotion.cli.window import Window
    from facemotion.results import Frame, Pixels
    from facemotion.video.frames import RawFrame

# the rate of a recording of a camera: frames are repeated or left out to keep its time
_RECORDED_FPS = 30.0
_CAPTION = "{:.0f} fps   q: quit   b: bars   s: snapshot"


@click.command(epilog="Example: facemotion webcam --record me.mp4 --csv me.csv")
@recognizer_options
@click.option(
    "--source",
    metavar="CAMERA",
    default="0",
    show_default=True,
    help="A camera's index or device, an address, or a clip that is played as if it were a camera.",
)
@click.option("--record", type=FILE, callback=mp4_path, metavar="FILE.mp4", help="Keep the annotated pictures.")
@csv_option("Write a table: a row a face of every frame.")
@click.option("--headless", is_flag=True, help="Open no window; without --csv, print a line at every change.")
def webcam(
    weights: str,
    detector: str,
    device: str,
    source: str,
    record: Path | None,
    csv_file: Path | None,
    headless: bool,
) -> None:
    """Show the faces before a camera with their emotions, as in a mirror.

    Keys: `q` ends, as closing the window does; `b` shows bars of all scores; `s` saves a snapshot into this folder.
    """
    quiet_opencv()
    from facemotion.cli.tables import Table
    from facemotion.cli.window import Window, start_window_check
    from facemotion.drawing import draw
    from facemotion.tables import video_columns, video_rows
    from facemotion.video.writing import SLOWEST, ClipWriter

    refuse_to_overwrite([source], [("--record", record), ("--csv", csv_file)])
    check_window = None if headless else start_window_check()
    recognizer = load_recognizer(weights, detector, device)
    if check_window:
        check_window()
    with ExitStack() as stack:
        frames, rate = _open(source)
        stack.callback(frames.close)
        table = stack.enter_context(Table(csv_file, video_columns(recognizer.labels))) if csv_file else None
        writer = stack.enter_context(ClipWriter(record, max(rate, SLOWEST))) if record else None
        view = None
        begun: float | None = None
        lines = _Lines() if headless and table is None else None
        for frame in recognizer.stream(frames):
            if begun is None:
                begun = frame.time
                _tell_what_is_stored(record, csv_file)
                view = None if headless else _View(stack.enter_context(Window()))
            if table:
                table.add(video_rows(frame, recognizer.labels))
            if writer:
                writer.write(draw(frame.image, frame.faces), frame.time - begun)
            if lines:
                lines.add(frame)
            if view and not view.show(frame):
                break


def _open(source: str) -> tuple[Generator[RawFrame, None, None], float]:
    from facemotion.video.frames import clip_info, play, read_frames

    if source.isdecimal():
        return read_frames(int(source)), _RECORDED_FPS
    if "://" in source or Path(source).is_char_device():
        return read_frames(source), _RECORDED_FPS
    return play(source), clip_info(source).fps


def _tell_what_is_stored(record: Path | None, csv_file: Path | None) -> None:
    asked = " and ".join(str(path) for path in (record, csv_file) if path)
    stored = f"Nothing is stored but what you asked for, {asked}" if asked else "Nothing is stored"
    click.echo(f"{stored}, and nothing is sent: the pictures stay on this machine.", err=True)


class _View:
    """What the window shows, and what its keys do."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._bars = False
        self._seconds: float | None = None
        self._shown = time.monotonic()

    def show(self, frame: Frame) -> bool:
        """Show a frame as in a mirror; False where the user wants to end."""
        from facemotion.drawing import caption, draw, mirror

        picture = draw(*mirror(frame.image, frame.faces), bars=self._bars)
        key = self._window.show(caption(picture, _CAPTION.format(self._rate())))
        if key == "b":
            self._bars = not self._bars
        elif key == "s":
            _save_snapshot(picture)
        return key is not None and key != "q"

    def _rate(self) -> float:
        """Frames a second, a mean of the last ones."""
        now = time.monotonic()
        passed, self._shown = now - self._shown, now
        self._seconds = passed if self._seconds is None else 0.9 * self._seconds + 0.1 * passed
        return 1 / max(self._seconds, 1e-3)


def _save_snapshot(picture: Pixels) -> None:
    from facemotion.cli.pictures import save_picture

    stem = time.strftime("facemotion-%Y%m%d-%H%M%S")
    path, number = Path(f"{stem}.png"), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}.png")
    save_picture(path, picture)
    click.echo(f"snapshot: {path}", err=True)


class _Lines:
    """A line on stdout whenever somebody comes, goes, or looks different."""

    def __init__(self) -> None:
        self._last: dict[int | None, str] | None = None

    def add(self, frame: Frame) -> None:
        labels = {face.track_id: face.label for face in frame.faces}
        if labels != self._last:
            self._last = labels
            people = "  ".join(f"{face.track_id}: {face.label} {face.score:.0%}" for face in frame.faces)
            click.echo(f"{frame.time:9.2f} s  {people or 'no face'}")
