"""Frames of a clip, a camera, a network stream or an iterable of arrays, each with its exact index and time."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from facemotion.errors import VideoError
from facemotion.images import from_bgr, read_image
from facemotion.opencv import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels

VideoSource: TypeAlias = "int | str | os.PathLike[str] | Iterable[NDArray[Any]]"

_DEFAULT_FPS = 30.0
# protocols that send what happens now, whether somebody looks or not
_LIVE = ("rtsp:", "rtsps:", "rtmp:", "udp:", "rtp:", "tcp:")
_AHEAD = 4
_RECONNECT_SECONDS = 10.0
_CAMERAS = range(4)


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame before anybody looked at it. time: seconds from the first frame on, as the source tells it."""

    index: int
    time: float
    image: Pixels


def read_frames(source: VideoSource, fps: float | None = None) -> Iterator[RawFrame]:
    """The frames of a source, in order, with little more than one of them in memory.

    source: a camera's index, a clip's path, a URL, or any iterable of RGB arrays. A clip loses no frame; of a camera
    or a live stream a slow reader gets the newest frame, and its index tells how many there were.
    fps: the rate of an iterable of arrays (30 unless given); for a clip it replaces the times in the file.
    """
    if isinstance(source, int):
        return _live(source, f"camera {source}")
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        return _live(name, name) if name.startswith(_LIVE) else _ahead(_clip(name, fps))
    return _arrays(source, fps or _DEFAULT_FPS)


def _arrays(images: Iterable[NDArray[Any]], fps: float) -> Iterator[RawFrame]:
    for index, image in enumerate(images):
        yield RawFrame(index, index / fps, read_image(image))


def _clip(name: str, fps: float | None) -> Iterator[RawFrame]:
    capture = open_clip(name)
    try:
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        index, last = -1, 0.0
        for index in itertools.count():
            read, frame = capture.read()
            if not read:
                break
            # of a variable rate the file alone knows the times; some containers let a time step back
            last = index / fps if fps else max(last, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            yield RawFrame(index, last, from_bgr(frame))
    finally:
        capture.release()
    if index == 0:
        raise VideoError(f"{name}: there is no frame in it that can be read")
    # the count is exact for most containers, and an estimate for a few
    if promised > 0 and index < promised * 0.95 - 1:
        raise VideoError(f"{name}: it breaks off after {index} of {promised} frames; those were read")


def open_clip(name: str) -> Any:
    """OpenCV's capture of a clip or URL; a VideoError says why it can't be had."""
    capture = cv2.VideoCapture(name)
    if capture.isOpened():
        return capture
    capture.release()
    if "://" in name:
        raise VideoError(f"{name}: no video can be read there; is the address right, and does the server answer?")
    path = Path(name)
    if not path.exists():
        raise VideoError(f"{name}: no such file")
    if path.is_dir():
        raise VideoError(f"{name}: this is a folder, not a clip")
    size = path.stat().st_size
    raise VideoError(f"{name}: OpenCV can't read this as video ({size} bytes); `ffmpeg -i IN OUT.mp4` may mend it")


def _ahead(frames: Iterator[RawFrame]) -> Iterator[RawFrame]:
    """The same frames, decoded in a thread of their own while the earlier ones are looked at."""
    ready: queue.Queue[RawFrame | BaseException | None] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item: RawFrame | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for frame in frames:
                put(frame)
                if stopped.is_set():
                    break
            put(None)
        except BaseException as error:  # it belongs to whoever reads the frames
            put(error)

    thread = threading.Thread(target=work, name="facemotion frames", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


def _live(source: int | str, name: str) -> Iterator[RawFrame]:
    """The newest frame of a camera or live stream, each time one is asked for."""
    newest = _Newest(source, name)
    try:
        while (frame := newest.wait()) is not None:
            yield frame
    finally:
        newest.stop()


class _Newest:
    """Reads a live source in a thread and keeps the last frame alone; picks it up again when it comes back."""

    def __init__(self, source: int | str, name: str) -> None:
        self._source, self._name = source, name
        self._capture = _open_live(source, name)
        self._changed = threading.Condition()
        self._frame: RawFrame | None = None
        self._error: VideoError | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._read, name=f"facemotion {name}", daemon=True)
        self._thread.start()

    def wait(self) -> RawFrame | None:
        """The newest frame that was not given out yet; None once the source was stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._error or self._stopped)
            frame, self._frame = self._frame, None
            if frame is None and self._error:
                raise self._error
            return frame

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        self._capture.release()

    def _read(self) -> None:
        start = time.monotonic()
        for index in itertools.count():
            while not self._stopped:
                read, frame = self._capture.read()
                if read:
                    break
                if not self._come_back():
                    return
            if self._stopped:
                return
            with self._changed:
                self._frame = RawFrame(index, time.monotonic() - start, from_bgr(frame))
                self._changed.notify_all()

    def _come_back(self) -> bool:
        """Whether a source that went away was there again within ten seconds."""
        deadline = time.monotonic() + _RECONNECT_SECONDS
        while time.monotonic() < deadline and not self._stopped:
            self._capture.release()
            self._capture = cv2.VideoCapture(self._source)
            if self._capture.isOpened():
                return True
            time.sleep(0.2)
        with self._changed:
            seconds = f"{_RECONNECT_SECONDS:g} seconds"
            self._error = VideoError(f"{self._name} went away and did not come back within {seconds}")
            self._changed.notify_all()
        return False


def _open_live(source: int | str, name: str) -> Any:
    capture = cv2.VideoCapture(source)
    if capture.isOpened():
        return capture
    capture.release()
    if isinstance(source, str):
        raise VideoError(f"{name}: no video can be read there; is the address right, and does the server answer?")
    others = [index for index in _CAMERAS if index != source and _is_there(index)]
    tried = ", ".join(str(index) for index in sorted({source, *_CAMERAS}))
    there = f"there is one at {', '.join(map(str, others))}" if others else "no camera answers"
    raise VideoError(f"no camera at index {source}: {there} (tried {tried}). Is it plugged in, and may you use it?")


def _is_there(index: int) -> bool:
    capture = cv2.VideoCapture(index)
    try:
        return bool(capture.isOpened())
    finally:
        capture.release()
