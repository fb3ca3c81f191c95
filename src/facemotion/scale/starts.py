"""How often a part was begun: a worker that dies can tell nobody what killed it, so it notes what it is about to do."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from facemotion.scale.places import Place


@dataclass
class Starts:
    """The note of a part, kept beside the results until the part is written.

    count: how often it was begun. alone: the pictures that were being looked at by themselves when a worker ended, and
    how often that happened.
    """

    place: Place
    count: int = 0
    alone: dict[str, int] = field(default_factory=dict)

    @classmethod
    def next(cls, place: Place) -> Self:
        """The note with one more start on it."""
        note = cls(place)
        if place.exists():
            # gone again where another worker, which was thought dead, has just ended the part
            with suppress(FileNotFoundError):
                note = cls(place, **json.loads(place.read()))
        note.count += 1
        note._keep()
        return note

    def begin(self, name: str) -> None:
        """A picture is about to be looked at by itself."""
        self.alone[name] = self.alone.get(name, 0) + 1
        self._keep()

    def end(self, name: str) -> None:
        """It was looked at, and the worker lives."""
        # written with the next one that begins
        self.alone[name] -= 1

    def take_back(self) -> None:
        """The worker was stopped, or told why it stopped: it did not die."""
        self.count -= 1
        self._keep()

    def forget(self) -> None:
        """The part is written."""
        self.place.delete()

    def _keep(self) -> None:
        self.place.write(json.dumps({key: value for key, value in vars(self).items() if key != "place"}).encode())
