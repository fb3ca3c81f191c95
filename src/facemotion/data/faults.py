"""What is wrong with a data set: raised at the first fault, or collected where bad samples are to be skipped."""

from __future__ import annotations

from facemotion.errors import DataError


class Faults:
    """Takes every fault that a reader meets; `skip` decides whether the first one ends the reading."""

    def __init__(self, skip: bool = False) -> None:
        self.skip = skip
        self.found: list[DataError] = []

    def add(self, what: str, place: str, expected: str | None = None, got: str | None = None) -> None:
        fault = DataError(what, place, expected, got)
        if not self.skip:
            raise fault
        self.found.append(fault)
