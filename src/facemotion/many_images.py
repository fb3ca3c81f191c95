"""Many pictures: what they may come in, and how they are read while others are worked on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from facemotion.errors import ImageError
from facemotion.images import ImageSource, read_image

if TYPE_CHECKING:
    from facemotion.results import Pixels

_Picture = TypeVar("_Picture")
_Item = TypeVar("_Item")

_CHUNK_BYTES = 200_000_000
# so many pictures are read ahead at most: a large machine has more processors than memory for photos
_AHEAD = 8
# what a last axis of these is: grey, RGB, RGB with alpha; nobody's pictures are as narrow
_CHANNELS = (1, 3, 4)
# the kinds of numpy's arrays that hold no pixels: Python's objects, and text, as a column of names becomes
_NAMES = "OTU"


def several(pictures: Iterable[_Picture]) -> Iterable[_Picture]:
    """The pictures one by one. Refuses a single one: its rows, or the letters of its path, are no pictures."""
    if isinstance(pictures, np.ndarray) and not (pictures.ndim == 1 and pictures.dtype.kind in _NAMES):
        if pictures.ndim not in (3, 4) or (pictures.ndim == 3 and pictures.shape[2] in _CHANNELS):
            hint = "; for one picture: [picture]" if pictures.ndim == 3 else ""
            wanted = "(n, height, width) or (n, height, width, 3)"
            raise ImageError("wrong pictures", expected=wanted, got=f"shape {pictures.shape}{hint}")
    elif isinstance(pictures, str | bytes | os.PathLike) or not isinstance(pictures, Iterable):
        raise ImageError("wrong pictures", expected="several pictures", got="one; for one picture: [picture]")
    elif hasattr(pictures, "readline"):  # its lines would be taken for pictures
        raise ImageError("wrong pictures", expected="several pictures", got="an open file; for one picture: [file]")
    return pictures


def read_ahead(sources: Iterable[ImageSource], threads: int) -> Iterator[Future[Pixels]]:
    """Pictures decoded by several threads, eight ahead of the one that is asked for at most, in the sources' order.

    `result()` gives what `read_image` would give, or raises what it would raise.
    """
    threads = min(threads, _AHEAD)
    pool = ThreadPoolExecutor(threads, "facemotion pictures")
    waiting: deque[Future[Pixels]] = deque()
    try:
        for source in sources:
            in_hand = isinstance(source, Image.Image | np.ndarray)
            waiting.append(_read_now(source) if in_hand else pool.submit(read_image, source))
            if len(waiting) > threads:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for future in waiting:
            future.cancel()
        # nobody waits for what is being read: that may be a share that answers no more
        pool.shutdown(wait=False)


def read_each(pictures: Iterable[ImageSource], threads: int) -> Iterator[Pixels]:
    """As `read_ahead`, the pixels themselves; of a bad one without a name is told which it was."""
    # who makes arrays one by one may fill the same one again
    copied = not isinstance(pictures, np.ndarray | list | tuple)
    for number, future in enumerate(read_ahead(_copies(pictures) if copied else pictures, threads)):
        try:
            yield future.result()
        except ImageError as error:
            if error.place:
                raise
            raise ImageError(error.what, f"images[{number}]", error.expected, error.got) from error


def in_chunks(items: Iterable[_Item], most: int, size_of: Callable[[_Item], int]) -> Iterator[list[_Item]]:
    """Items in lists of at most `most`, whose bytes together stay near what a few large photos take."""
    chunk: list[_Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += size_of(item)
        if len(chunk) >= most or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _copies(pictures: Iterable[ImageSource]) -> Iterator[ImageSource]:
    return (each.copy() if isinstance(each, np.ndarray) else each for each in pictures)


def _read_now(source: ImageSource) -> Future[Pixels]:
    """What the caller has in hand, in the caller's thread: a PIL picture has one frame at a time."""
    done: Future[Pixels] = Future()
    try:
        done.set_result(read_image(source))
    except ImageError as error:
        done.set_exception(error)
    return done
