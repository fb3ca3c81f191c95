"""Everything the library raises on purpose.

FacemotionError
├ ImageError (ValueError)         a picture that can't be read, or of the wrong shape
├ VideoError (OSError)            no camera, an unreadable clip, no display
├ DataError (ValueError)          a data set that can't be what it says
├ UnknownNameError (LookupError)  no such weights, detector, backbone, label, recipe ...
├ PluginError                     somebody's plug-in is broken, or two claim one name
├ RecipeError (ValueError)        a recipe with a wrong key or value
├ TrainingError (RuntimeError)    a training that can't go on
├ DeviceError (ValueError)        a device that is not there
├ MissingExtraError (ImportError) a package that has to be installed first
└ WeightsError
  ├ DownloadError                 not fetched: offline, absent, cut off
  ├ ChecksumError                 the bytes are not the ones that were promised
  └ ConfigError                   the config.json beside the weights is wrong

A message says what failed, why, and the next command. Every error survives pickling, since workers send them home.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FacemotionError(Exception):
    """The parent of every error of this library: `except FacemotionError` catches them all, and no bug of ours."""


class _Mismatch(FacemotionError):
    """An error about a thing in some place that should have been one way and is another."""

    def __init__(
        self, what: str, place: str | None = None, expected: str | None = None, got: str | None = None
    ) -> None:
        super().__init__(what, place, expected, got)
        self.what, self.place, self.expected, self.got = what, place, expected, got

    def __str__(self) -> str:
        text = f"{self.place}: {self.what}" if self.place else self.what
        details = [f"expected {self.expected}"] if self.expected else []
        details += [f"got {self.got}"] if self.got else []
        return f"{text}: {', '.join(details)}" if details else text


class ImageError(_Mismatch, ValueError):
    """A picture that can't be read, or is not what it should be. `place` is its path, or which of many it was."""


class VideoError(FacemotionError, OSError):
    """No camera, an unreadable clip, or no display to show it on."""


class DataError(_Mismatch, ValueError):
    """A data set that can't be what it says. `place` is the file, with the row where there are rows."""


class UnknownNameError(FacemotionError, LookupError):
    """A name that nothing answers to. `nearest` are the choices that look like it."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str | None = None) -> None:
        self.kind, self.name, self.choices, self.hint = kind, name, tuple(choices), hint
        super().__init__(kind, name, self.choices, hint)

    @property
    def nearest(self) -> list[str]:
        """Up to three choices that look like the name, the likest first."""
        by_lower = {choice.lower(): choice for choice in self.choices}
        name = str(self.name).lower()
        return [by_lower[match] for match in difflib.get_close_matches(name, by_lower, n=3, cutoff=0.5)]

    def __str__(self) -> str:
        text = f"no {self.kind} is named {self.name!r}"
        if self.nearest:
            text += f"; did you mean {' or '.join(map(repr, self.nearest))}?"
        elif self.choices:
            text += "."
        text += f" There is: {', '.join(self.choices)}." if self.choices else f"; there is no {self.kind} at all."
        return f"{text} {self.hint}" if self.hint else text


class PluginError(FacemotionError):
    """A plug-in that can't be used. `distributions` are the installed packages it comes from."""

    def __init__(self, message: str, distributions: Iterable[str]) -> None:
        self.message, self.distributions = message, tuple(distributions)
        super().__init__(message, self.distributions)

    def __str__(self) -> str:
        return self.message


class RecipeError(_Mismatch, ValueError):
    """A recipe with a wrong key or value. `place` is the file and the key."""


class TrainingError(FacemotionError, RuntimeError):
    """A training that can't go on; the message says what to change."""


class DeviceError(FacemotionError, ValueError):
    """A device that was asked for and is not there; the message lists what is."""


class MissingExtraError(FacemotionError, ImportError):
    """Something that has to be installed first; the message is the line that does it."""


class WeightsError(FacemotionError):
    """Weights that can't be found, fetched, trusted or built."""


class DownloadError(WeightsError):
    """Not fetched: offline, absent at the other end, or cut off."""


class ChecksumError(WeightsError):
    """The bytes are not the ones that were promised; nothing of them was used."""


class ConfigError(WeightsError, ValueError):
    """The config.json beside the weights is wrong, or not about these weights."""
