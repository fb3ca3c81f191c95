"""The kinds of options and arguments that name what a command reads or writes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from facemotion.file_names import at_home


class _PathAtHome(click.Path):
    """A path whose ~ is a home: in quotes, and behind the = of an option, no shell spells it out."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        return super().convert(at_home(value), param, ctx)


class _Written(_PathAtHome):
    """A place that is written to. Elsewhere - is stdout, which has other results here."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        if value == "-":
            self.fail("nothing of this goes to stdout: name a place, or ./- where it is called so.", param, ctx)
        return super().convert(value, param, ctx)


# a file or folder that is read
SOURCE = _PathAtHome(path_type=Path)
# those that are written
FILE = _Written(dir_okay=False, path_type=Path)
FOLDER = _Written(file_okay=False, path_type=Path)
