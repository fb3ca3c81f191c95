"""Whose fault it is: a file's, which is left out and told of, or the worker's, which ends the run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from facemotion.errors import FacemotionError, ImageError, VideoError
from facemotion.recognizer import EmotionRecognizer

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class FileFault(Exception):
    """A file that can't be done; the message is the reason that the errors table gives. It never leaves a worker."""


def attempt(work: Callable[[], _Result], recognizer: EmotionRecognizer, retries: int) -> _Result:
    """The result of some work on one file, or a FileFault.

    What the library raises of a file stays as it is however often it is tried; anything else is tried again. In the end
    the file is to blame if the recognizer still works without it; if it does not, the error is raised as it came.
    """
    for again in range(retries, -1, -1):
        try:
            return work()
        except (ImageError, VideoError) as error:
            raise FileFault(one_line(error)) from error
        except FacemotionError:  # no detector, no device, a full disk: no file's fault
            raise
        except Exception as error:  # whatever a decoder or a network stumbles over, which must stop nothing else
            if not again:
                _check(recognizer)
                raise FileFault(one_line(error)) from error
            logger.warning("tried again after %s", one_line(error))
    raise AssertionError("the last try returns or raises")


def one_line(error: Exception) -> str:
    """What an error says, in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, FacemotionError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def _check(recognizer: EmotionRecognizer) -> None:
    """Raises what the recognizer raises of a plain picture, if it does."""
    plain = np.full((64, 64, 3), 128, np.uint8)
    recognizer.predict(plain)
    recognizer.classify([plain])
