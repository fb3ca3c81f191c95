"""How far a long work is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import click


class Progress:
    """Called with how many faces are done, and of how many: a bar on a terminal; elsewhere a line a tenth."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def __call__(self, done: int, count: int) -> None:
        if sys.stderr.isatty():
            if self._bar is None:
                self._bar = click.progressbar(length=count, label="faces", file=sys.stderr).__enter__()
            self._bar.update(done - self._done)
        elif done * 10 // count > self._done * 10 // count:
            click.echo(f"{done:,} of {count:,} pictures", err=True)
        self._done = done
