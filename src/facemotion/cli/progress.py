"""How far a long work is: a bar on a terminal, plain lines elsewhere. On stderr, as all that is no result."""

from __future__ import annotations

import sys
from typing import Any, Self

import click

_UNCOUNTED = 1000


class Progress:
    """Called with how many are done, and of how many; None where nobody knows. Clips may have more than they say.

    unit: what is counted, in the plural.
    """

    def __init__(self, unit: str = "pictures") -> None:
        self._unit = unit
        self._bar: Any = None
        self._done = 0
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def __call__(self, done: int, count: int | None) -> None:
        if count and sys.stderr.isatty():
            if self._bar is None:
                self._bar = click.progressbar(length=count, label=self._unit, file=sys.stderr).__enter__()
            self._bar.update(done - self._done)
        else:
            self._lines(done, count)
        self._done = done

    def _lines(self, done: int, count: int | None) -> None:
        if count and done > count:
            count = None
        part = done * 10 // count if count else done // _UNCOUNTED
        if part > self._told:
            self._told = part
            click.echo(f"{done:,} of {count:,} {self._unit}" if count else f"{done:,} {self._unit}", err=True)
