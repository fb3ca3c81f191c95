"""Frames into an MP4, each at its time, with the sound of the clip that they come from."""

from __future__ import annotations

import logging
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from facemotion.errors import VideoError
from facemotion.file_names import at_home, short_name, without_secrets
from facemotion.opencv import cv2
from facemotion.video.ffmpeg import as_ffmpeg_takes_it, told_by_ffprobe
from facemotion.video.frames import clip_info, name_of

if TYPE_CHECKING:
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# seconds: a clip of two frames can say that years lie between them
_LONGEST_GAP = 3600.0
# frames a second: OpenCV rounds to thousandths, and takes a single one for none
SLOWEST = 0.002
# pixels: MPEG-4 has 13 bits for each side
_LONGEST_SIDE = 8191
# MPEG-4 keeps a rate as a fraction of numbers up to this one
_LARGEST_NUMBER = 65535


class ClipWriter:
    """Writes an MP4 of a constant rate; a context manager, so that the file is whole however the work ends.

    fps: its rate, as near as MP4 can have it. A frame that comes late is preceded by repeats of the one before, and one
    that comes too early for the rate is left out, so that the clip lasts as long as its source did. An hour without a
    frame is left out.
    sound_of: the clip whose sound it gets, as far as the program `ffmpeg` is on this machine, and as far as its frames
    were written.
    """

    def __init__(
        self, path: str | os.PathLike[str], fps: float, sound_of: str | os.PathLike[str] | None = None
    ) -> None:
        self.path = at_home(path)
        self._fps, self._sound_of = _rate_of_mp4(fps), None if sound_of is None else name_of(sound_of)
        # hidden, so that it is nobody's clip that is written over
        self._part = self.path.with_name(f".{short_name(self.path.stem)}.part.mp4")
        self._writer: Any = None
        self._size = (0, 0)
        self._written = self._given = 0
        self._left_out = 0.0
        self._last: Pixels | None = None
        self._broken_off = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._broken_off = kind is not None
        self.close()

    def write(self, image: Pixels, time: float) -> None:
        """Add an RGB image that is shown from a time on, in seconds from the first one's."""
        if self._writer is None:
            self._open(image)
        self._given += 1
        frame = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if image.shape[1::-1] != self._size:  # a camera that came back with another size
            frame = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        slot = max(round((time - self._left_out) * self._fps), 0)
        if slot - self._written > _LONGEST_GAP * self._fps:
            gap = (slot - self._written) / self._fps
            logger.warning("%s: %.0f seconds without a frame before %.0f s are left out", self.path, gap, time)
            self._left_out += gap
            slot = self._written
        while self._last is not None and self._written < slot:
            self._put(self._last)
        if self._written <= slot:
            self._put(frame)
        self._last = frame

    def close(self) -> None:
        """Finish the file: it gets its name, and the sound. Without a single frame, or not whole, there is no file."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if not self._holds_all(self._part):
            self._part.unlink(missing_ok=True)
            raise VideoError(f"{self.path} can't be written whole; is there room on the disk?")
        try:
            if self._sound_of is not None:
                self._join_sound(as_ffmpeg_takes_it(self._sound_of))
        finally:  # Ctrl-C ends the joining, and the pictures are there
            self._part.replace(self.path)

    def _open(self, image: Pixels) -> None:
        height, width = image.shape[:2]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VideoError(f"{self.path} can't be written: {error.strerror or error}") from error
        self._size = (width, height)
        if not 2 <= min(self._size) <= max(self._size) <= _LONGEST_SIDE:
            wanted = f"2 to {_LONGEST_SIDE} pixels a side"
            raise VideoError(f"{self.path}: MP4 takes {wanted}; the picture has {width}x{height}")
        if width % 2 or height % 2:
            even = f"{width // 2 * 2}x{height // 2 * 2}"
            logger.warning("%s: MP4 takes even sizes only: %s of %dx%d is written", self.path, even, width, height)
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(as_ffmpeg_takes_it(self._part), cv2.CAP_FFMPEG, code, self._fps, self._size)
        if not self._writer.isOpened():
            self._writer = None
            raise VideoError(f"{self.path} can't be written; is the folder writable, and is there room?")

    def _put(self, frame: Pixels) -> None:
        self._writer.write(frame)
        self._written += 1

    def _holds_all(self, path: Path) -> bool:
        """Whether a file has every frame: OpenCV says nothing of a full disk. What is asked is written last."""
        capture = cv2.VideoCapture(as_ffmpeg_takes_it(path))
        try:
            # one more where Ctrl-C came between a frame and its count
            return bool(capture.get(cv2.CAP_PROP_FRAME_COUNT) >= self._written and capture.grab())
        finally:
            capture.release()

    def _join_sound(self, source: str) -> None:
        """Join the pictures with the sound of the source; where that is not possible here, say why."""
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            logger.warning("%s has no sound: the program ffmpeg, which would keep it, is not installed", self.path)
            return
        if shutil.which("ffprobe") is None:
            missing = "the program ffprobe, which comes with ffmpeg, is not installed"
            logger.warning("%s: its sound may be early, or end with the pictures: %s", self.path, missing)
        joined = self.path.with_name(f".{short_name(self.path.stem)}.sound.mp4")
        late, said = _pictures_come_late(source), ""
        inputs = ["-itsoffset", f"{late:.3f}", "-i", as_ffmpeg_takes_it(self._part), "-i", source]
        if self._stopped_early(source):
            inputs += ["-t", f"{late + self._written / self._fps:.3f}"]
        try:
            # the sound as it is, and where MP4 can't hold its kind, in one that it can
            for codec in ("copy", "aac"):
                chosen = ["-map", "0:v:0", "-map", "1:a?", "-c:v", "copy", "-c:a", codec]
                command = [ffmpeg, "-nostdin", "-y", "-v", "error", *inputs, *chosen, as_ffmpeg_takes_it(joined)]
                # its words are UTF-8 on every system, but for what it repeats of the clip
                done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
                if done.returncode == 0 and self._holds_all(joined):
                    joined.replace(self._part)
                    return
                said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        finally:
            joined.unlink(missing_ok=True)
        said = said.replace(source, without_secrets(source))
        logger.warning("%s has no sound: ffmpeg could not join it (%s)", self.path, said)

    def _stopped_early(self, source: str) -> bool:
        """Whether the source goes on after the last frame: its sound would, too."""
        if self._broken_off:
            return True
        try:
            info = clip_info(source)
        except VideoError:
            return False
        seconds = self._written / self._fps
        if self._given >= info.least_frames or seconds >= info.least_frames / info.fps:
            return False
        # of a clip that does not count its frames these were made of the length of its sound
        return seconds < _last_picture(source) * 0.95 - 1 / info.fps


def _rate_of_mp4(fps: float) -> float:
    """The rate that OpenCV writes: with as few decimals as come near, and none that MPEG-4 has no room for."""
    if not SLOWEST <= fps <= _LARGEST_NUMBER:
        raise ValueError(f"fps: expected up to {_LARGEST_NUMBER} frames a second, at least {SLOWEST}, got {fps!r}")
    base = 1
    while abs(_rounded(fps * base) / base - fps) > 0.001 and _rounded(fps * base * 10) <= _LARGEST_NUMBER:
        base *= 10
    return _rounded(fps * base) / base


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


def _pictures_come_late(source: str) -> float:
    """How many seconds a clip's sound goes before its pictures begin; 0 where nobody can tell."""
    told = told_by_ffprobe(source, "stream=start_time:format=start_time")
    try:
        return max(float(told["streams"][0]["start_time"]) - float(told["format"]["start_time"]), 0.0)
    except (ValueError, LookupError):
        return 0.0


def _last_picture(source: str) -> float:
    """How many seconds after a clip's first picture its last one comes; without end where nobody can tell."""
    packets = told_by_ffprobe(source, "packet=pts_time").get("packets", [])
    times = [float(packet["pts_time"]) for packet in packets if "pts_time" in packet]
    return max(times) - min(times) if times else math.inf
