"""A part of pictures through the recognizer, so that a bad one costs nothing but itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from facemotion.devices import cpu_threads
from facemotion.errors import FacemotionError, ImageError
from facemotion.images import ImageSource, read_image
from facemotion.many_images import in_chunks, read_ahead
from facemotion.recognizer import EmotionRecognizer
from facemotion.results import FaceEmotion
from facemotion.scale.faults import FileFault, attempt, one_line
from facemotion.scale.job import Job
from facemotion.scale.places import StoredFile, is_url, spelt
from facemotion.scale.starts import Starts

if TYPE_CHECKING:
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

# a picture's faces, or why there are none to be had
Seen: TypeAlias = "list[FaceEmotion] | str"

_NO_TEXT = "its name is not UTF-8, so that no table can hold it: rename it"

# a picture that ended its worker so often while it was looked at by itself is left out
_DEATHS = 2


def look(names: Sequence[str], recognizer: EmotionRecognizer, job: Job, note: Starts) -> Iterator[tuple[str, Seen]]:
    """Each picture with its faces, or why there are none to be had, in their order.

    note: of the part that they are. Where workers ended over it again and again, its pictures are looked at one by one.
    """
    seen = _look([name for name in names if spelt(name) == name], recognizer, job, note)
    for name in names:
        yield next(seen) if spelt(name) == name else (name, _NO_TEXT)


def _look(names: Sequence[str], recognizer: EmotionRecognizer, job: Job, note: Starts) -> Iterator[tuple[str, Seen]]:
    """Those whose names are text: as `predict` sees them, read ahead and in batches."""
    if note.count > job.retries + 1:
        for name in names:
            yield name, _by_itself(name, recognizer, job, note)
        return
    for chunk in in_chunks(_read(names, job), job.batch_size, lambda pair: np.size(pair[1])):
        images = [image for _, image in chunk if not isinstance(image, str)]
        found = iter(_together(images, recognizer, job))
        for name, image in chunk:
            yield name, image if isinstance(image, str) else next(found)


def _read(names: Sequence[str], job: Job) -> Iterator[tuple[str, Pixels | str]]:
    """Each picture, or why it can't be read."""
    sources = (_source(name, job) for name in names)
    for name, future in zip(names, read_ahead(sources, cpu_threads()), strict=True):
        try:
            yield name, future.result()
        except ImageError as error:
            yield name, one_line(error)


def _source(name: str, job: Job) -> ImageSource:
    return StoredFile(name, job.retries) if is_url(name) else job.path(name)


def _together(images: Sequence[Pixels], recognizer: EmotionRecognizer, job: Job) -> Sequence[Seen]:
    try:
        return recognizer.predict_batch(images, job.batch_size)
    except FacemotionError:
        raise
    except Exception as error:  # whatever a network stumbles over; which picture it was shows one by one
        logger.warning("%d pictures are looked at one by one after %s", len(images), one_line(error))
        return [_seen(partial(recognizer.predict, image), recognizer, job.retries) for image in images]


def _by_itself(name: str, recognizer: EmotionRecognizer, job: Job, note: Starts) -> Seen:
    ended = note.alone.get(name, 0)
    if ended >= _DEATHS:
        deaths = ended + job.retries + 1
        return f"the worker that looked at it ended {deaths} times: too little memory, or a decoder's fault?"
    note.begin(name)
    try:
        return _seen(lambda: recognizer.predict(read_image(_source(name, job))), recognizer, job.retries)
    finally:
        note.end(name)


def _seen(work: Callable[[], list[FaceEmotion]], recognizer: EmotionRecognizer, retries: int) -> Seen:
    try:
        return attempt(work, recognizer, retries)
    except FileFault as fault:
        return str(fault)
