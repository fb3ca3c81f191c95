"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# ends the name of a file that is being written
UNFINISHED = ".part"


@contextmanager
def growing(path: Path) -> Iterator[Path]:
    """A place to write a file at: it gets its name once the block has ended well, and is gone otherwise."""
    # hidden and of this call alone: neither somebody's file nor what another thread or process writes is in its place
    part = path.with_name(f".{os.urandom(8).hex()}{UNFINISHED}")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):  # what went wrong is told, not that nothing is left to be removed
            part.unlink()


def write_together(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files of a folder: all of them before the first, in their order, takes the place of what was there."""
    with ExitStack() as places:
        # the last to be opened is the first to get its name
        for name, data in reversed(contents.items()):
            places.enter_context(growing(folder / name)).write_bytes(data)
