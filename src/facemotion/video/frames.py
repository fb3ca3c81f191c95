"""Frames of a clip, a camera, a network stream or an iterable of arrays, each with its exact index and time."""

from __future__ import annotations

import itertools
import os
import time
from base64 import b64encode
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from facemotion.errors import VideoError
from facemotion.file_names import input_path, without_secrets
from facemotion.images import ImageSource, from_bgr, read_image
from facemotion.many_images import several
from facemotion.opencv import cv2
from facemotion.video.ffmpeg import as_ffmpeg_takes_it
from facemotion.video.handover import ahead, newest
from facemotion.video.interlaced import refuse_interlaced
from facemotion.video.whole import ClipInfo, check_whole

if TYPE_CHECKING:
    from urllib.request import Request

    from numpy.typing import NDArray

    from facemotion.results import Pixels

VideoSource: TypeAlias = "int | str | os.PathLike[str] | Iterable[NDArray[Any] | RawFrame]"

_DEFAULT_FPS = 30.0
# a browser's recording tells the ticks of its clock, 1,000 a second
_HIGHEST_FPS = 960
# protocols that send what happens now, whether somebody looks or not
_LIVE = ("rtsp:", "rtsps:", "rtmp:", "udp:", "rtp:", "tcp:")
# how lists of a stream's parts begin, HLS and DASH: they have a length, and the stream may have none
_PLAYLISTS = (b"#EXTM3U", b"<")
_RECONNECT_SECONDS = 10.0
# a clip that says more of its pixels, wider or higher, is damaged
_WIDEST_PIXEL = 4
_CAMERAS = range(4)
# what OpenCV takes: it adds the number of a backend to a camera's own
_INDICES = range(2**31)


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame before anybody looked at it. time: seconds from the first frame on, as the source tells it."""

    index: int
    time: float
    image: Pixels


def read_frames(source: VideoSource, fps: float | None = None) -> Generator[RawFrame, None, None]:
    """The frames of a source, in order, with little more than one of them in memory.

    source: a camera's index or device, a clip's path (~ is a home), a URL, or any iterable of RGB arrays, or of
    `RawFrame`s, which bring their own times. A clip loses no frame; of a camera or a live stream a slow reader gets the
    newest frame, and its index tells how many there were.
    fps: the rate of an iterable of arrays (30 unless given); for a clip it replaces the times in the file.
    """
    if fps is not None and not fps > 0:
        raise ValueError(f"fps: expected frames a second above 0, got {fps!r}")
    if isinstance(source, int | np.integer):
        return newest(_camera(int(source)))
    # a cv2.VideoCapture is none of these, and the pictures of an open file would be its lines, those of bytes numbers
    in_hand = isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "readline")
    if in_hand or not isinstance(source, str | os.PathLike | Iterable):
        wanted = "a clip's path or address, a camera's number, or pictures"
        mend = "; write the clip to a file first, and give its path" if in_hand else ""
        raise VideoError(f"no video: expected {wanted}, got {type(source).__name__}{mend}")
    if not isinstance(source, str | os.PathLike):
        return _arrays(several(source), fps or _DEFAULT_FPS)
    name = name_of(source)
    # of a camera's own file, as /dev/video0, all frames would come, each later than the one before
    if name.startswith(_LIVE) or ("://" not in name and Path(name).is_char_device()):
        return newest(_camera(name))
    return _url(name, fps) if "://" in name else ahead(_clip(name, fps))


def is_live(name: str, info: ClipInfo) -> bool:
    """Whether an address, of which `info` is known, is a camera. A clip says how many frames or bytes it has."""
    return name.startswith(_LIVE) or ("://" in name and not info.frames and not _has_length(name))


def play(clip: str | os.PathLike[str]) -> Generator[RawFrame, None, None]:
    """A clip as if it were a camera: at its own pace, and a slow reader gets the newest frame."""
    return newest(_paced(_clip(name_of(clip), None)))


def clip_info(clip: str | os.PathLike[str]) -> ClipInfo:
    """What a clip or URL says of itself; a VideoError where it can't be opened."""
    # in a thread of its own, so that Ctrl-C ends the waiting for a server that says nothing
    with closing(ahead(_its_info(name_of(clip)))) as infos:
        return next(infos)


def _its_info(name: str) -> Generator[ClipInfo, None, None]:
    capture = open_clip(name)
    try:
        yield _info(capture)
    finally:
        capture.release()


def open_clip(name: str) -> Any:
    """OpenCV's capture of a clip or URL; a VideoError says why it can't be had."""
    path = Path(name)
    if path.is_fifo():  # it could be read but once, and who writes to it may be waited for without end
        raise VideoError(f"{name}: this is a pipe; write it to a file first")
    capture = cv2.VideoCapture(as_ffmpeg_takes_it(name))
    if capture.isOpened():
        return capture
    capture.release()
    if "://" in name:
        told = without_secrets(name)
        raise VideoError(f"{told}: no video can be read there; is the address right, and does the server answer?")
    if not path.exists():
        camera = f"; a camera is a number: stream({name}), or `facemotion webcam --source {name}`"
        raise VideoError(f"{name}: no such file{camera if name.isdecimal() else ''}")
    if path.is_dir():
        raise VideoError(f"{name}: this is a folder, not a clip")
    size = path.stat().st_size
    raise VideoError(f"{name}: OpenCV can't read this as video ({size} bytes); `ffmpeg -i IN OUT.mp4` may mend it")


def name_of(clip: str | os.PathLike[str]) -> str:
    """A path with the ~ of a home spelt out; any other, and an address, to the letter as it is."""
    name = os.fspath(clip)
    return os.fspath(input_path(name)) if name.startswith("~") else name


def _arrays(images: Iterable[ImageSource | RawFrame], fps: float) -> Generator[RawFrame, None, None]:
    for index, image in enumerate(images):
        if isinstance(image, RawFrame):
            yield replace(image, image=read_image(image.image))
        else:
            yield RawFrame(index, index / fps, read_image(image))


def _url(name: str, fps: float | None) -> Generator[RawFrame, None, None]:
    yield from newest(_camera(name)) if is_live(name, clip_info(name)) else ahead(_clip(name, fps))


def _has_length(address: str) -> bool:
    """Whether a server says how many bytes its answer has, and these are the pictures themselves."""
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(_request(address), timeout=_RECONNECT_SECONDS) as answer:
            # some cameras make a length up for their pictures without end
            if "Content-Length" not in answer.headers or answer.headers.get_content_maintype() == "multipart":
                return False
            return not answer.read(7).startswith(_PLAYLISTS)
    except (OSError, ValueError, HTTPException):  # an address that FFmpeg alone understands
        return False


def _request(address: str) -> Request:
    """What asks for an address: a user and a password in it are for FFmpeg, and for Python in a header."""
    from urllib.parse import unquote, urlsplit
    from urllib.request import Request

    parts = urlsplit(address)
    who, _, host = parts.netloc.rpartition("@")
    headers = {"Authorization": f"Basic {b64encode(unquote(who).encode()).decode()}"} if who else {}
    return Request(parts._replace(netloc=host).geturl(), headers=headers)


def _clip(name: str, fps: float | None) -> Generator[RawFrame, None, None]:
    capture = open_clip(name)
    try:
        info, clock, count = _info(capture), Clock(), 0
        for told, image in refuse_interlaced(_pictures(capture), name):
            time_told = clock.time(told, info.fps)
            yield RawFrame(count, count / fps if fps else time_told, image)
            count += 1
    finally:
        capture.release()
    check_whole(name, count, clock.told, info)


def _pictures(capture: Any) -> Iterator[tuple[float, Pixels]]:
    """Each frame's time as the file tells it, and its pixels."""
    while True:
        read, frame = capture.read()
        if not read:
            return
        yield told_seconds(capture), as_shown(capture, frame)


class Clock:
    """The times of a clip's frames from the first one on, out of what the file tells of each."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        # seconds from the first frame to the last one by the file's own word: 0 of a bare stream, which tells no times
        self.told = 0.0

    def time(self, told: float, rate: float) -> float:
        """The time of the next frame. Of a variable rate the file alone knows the times; of a bare stream none."""
        if self._first is None:
            self._first = told
        else:
            passed = self.told = told - self._first
            self._last = passed if passed > self._last else self._last + 1 / rate
        return self._last


def told_seconds(capture: Any) -> float:
    """The time of the frame that was read last, as the file tells it."""
    return float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000


def as_shown(capture: Any, frame: NDArray[Any]) -> Pixels:
    """A frame as RGB, made wider where the clip's pixels are not square, as those of DV and DVDs."""
    across, down = (capture.get(each) for each in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180:  # OpenCV has turned the frame, and not what it tells of it
        across, down = down, across
    if across > 0 and down > 0 and across != down and 1 / _WIDEST_PIXEL <= across / down <= _WIDEST_PIXEL:
        height, width = frame.shape[:2]
        frame = cv2.resize(frame, (max(round(width * across / down), 1), height), interpolation=cv2.INTER_LINEAR)
    return from_bgr(frame)


def _info(capture: Any) -> ClipInfo:
    rate, promised = float(capture.get(cv2.CAP_PROP_FPS)), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if 0 < rate <= _HIGHEST_FPS:
        return ClipInfo(rate, promised if promised > 0 else None)
    # what is promised was made of the rate
    return ClipInfo(_DEFAULT_FPS, int(promised * _DEFAULT_FPS / rate) or None if promised > 0 and rate > 0 else None)


def _paced(frames: Iterator[RawFrame]) -> Generator[RawFrame | None, None, None]:
    start = time.monotonic()
    for frame in frames:
        while (early := start + frame.time - time.monotonic()) > 0:
            time.sleep(min(early, 0.1))
            yield None
        yield frame


def _camera(source: int | str) -> Generator[RawFrame | None, None, None]:
    """All frames of a camera or live stream, with None at times while it is away: it is waited for."""
    capture = _open_live(source)
    name = without_secrets(source) if isinstance(source, str) else f"camera {source}"
    start: float | None = None
    try:
        for index in itertools.count():
            read, frame = capture.read()
            lost = time.monotonic()
            while not read:
                if time.monotonic() - lost > _RECONNECT_SECONDS:
                    seconds = f"within {_RECONNECT_SECONDS:g} seconds"
                    if start is None:
                        raise VideoError(f"{name} gave no picture {seconds}; does another program use it?")
                    raise VideoError(f"{name} went away and did not come back {seconds}")
                yield None
                capture.release()
                capture = cv2.VideoCapture(source)
                if capture.isOpened():
                    read, frame = capture.read()
                if not read:
                    time.sleep(0.2)
            start = time.monotonic() if start is None else start
            yield RawFrame(index, time.monotonic() - start, from_bgr(frame))
    finally:
        capture.release()


def _open_live(source: int | str) -> Any:
    if isinstance(source, str):
        return open_clip(source)
    if source not in _INDICES:  # OpenCV would crash
        raise VideoError(f"no camera at index {source}: expected a number from 0 to {_INDICES[-1]}")
    capture = cv2.VideoCapture(source)
    if capture.isOpened():
        return capture
    capture.release()
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
