"""What a command writes to: streams that may be closed or know few letters, terminals that obey what they are shown."""

from __future__ import annotations

import io
import logging
import os
import sys

import click


def make_streams_safe() -> None:
    """Let no name that can't be spelt and no closed stream end a command."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # otherwise the next file that is opened gets this number, and what C libraries say is written into it
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def shown(text: str) -> str:
    """Text as a line of a terminal: what would end the line or command the terminal is spelt out."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def shown_lines(text: str) -> str:
    """As `shown`, of a text of several lines."""
    return "\n".join(map(shown, text.split("\n")))


def tell_fault(error: Exception, text: str) -> None:
    """What went wrong, as a line on stderr; under -vv with its traceback."""
    logging.getLogger(__name__).debug("", exc_info=error)
    click.echo(f"facemotion: {shown(text)}", err=True)


def tell(line: str, *, go_on: bool) -> None:
    """A line on stdout. go_on: where its reader went away (`| head`) say no more, since there are files to write."""
    try:
        click.echo(line)
    except BrokenPipeError:
        if not go_on:
            raise
        fall_silent()


def fall_silent() -> None:
    """Nobody reads stdout any more; Python's own flush at the end must not fail either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _nowhere() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(os.devnull, "w"))
