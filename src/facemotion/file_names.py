"""Names of files: those that we write, made of what others chose, and what people write: ~ for a home, and patterns.

And addresses, which may hold a secret: what is told or kept of one is `without_secrets`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from facemotion.errors import FacemotionError

# of the 255 bytes that most file systems give a name: a number, a label and a suffix come behind it
_MOST_BYTES = 180
_SIGNS = "*?["
# what no file can be called on Windows, whatever comes behind a dot
_DEVICE = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")
# scheme://user:password@host
_PASSWORD = re.compile(r"(?<=://)([^/?#:@]*):[^/?#]*@")


def safe_name(name: str) -> str:
    """A split or label as the name of a file or folder that can't lie anywhere else, on any system."""
    safe = re.sub(r"[^\w .+-]", "_", name).strip(". ") or "_"
    return re.sub(_DEVICE, r"\1_", safe)


def shared_name(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that are one as the name of a file or folder, also where those don't tell A from a."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(safe_name(name).casefold(), name)
        if other != name:
            return other, name
    return None


def at_home(path: str | os.PathLike[str]) -> Path:
    """The path with the ~ of a home spelt out, as a shell does it; where nobody knows that home, as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def input_path(path: str | os.PathLike[str]) -> Path:
    """A path to read from: as it is where something is there, else with the ~ of a home spelt out.

    Of a folder called ~, as programs make that know no home, the pictures are found under names that begin with it.
    """
    return Path(path) if os.path.lexists(path) else at_home(path)


def short_name(name: str) -> str:
    """The name, or as much of it as leaves room for what is written behind it."""
    while len(os.fsencode(name)) > _MOST_BYTES:
        name = name[:-1]
    return name


def has_password(name: str) -> bool:
    """Whether a name is an address with a password in it."""
    return _PASSWORD.search(name) is not None


def without_secrets(name: str) -> str:
    """An address as everybody may read it: no password, and nothing of what stands behind a ?, as keys do."""
    return _PASSWORD.sub(r"\1:***@", name).partition("?")[0] if "://" in name else name


def working_folder() -> Path:
    """The folder that relative names start from; a FacemotionError where it is there no more."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        what = "the folder that this runs in was deleted, so that no relative name leads anywhere: cd to another"
        raise FacemotionError(what) from error


def is_pattern(name: str | os.PathLike[str]) -> bool:
    """Whether a name, of nothing that is there, stands for several."""
    return any(sign in os.fspath(name) for sign in _SIGNS)


def pattern_top(pattern: Path) -> Path:
    """The folder that a pattern is searched for in: as much of its beginning as is there, whatever signs are in it."""
    top = Path(pattern.anchor)
    for part in pattern.relative_to(top).parts[:-1]:
        if not (top / part).is_dir():
            break
        top /= part
    return top


def find_pattern(pattern: Path) -> tuple[list[Path], list[OSError]]:
    """What a pattern names, in order; and why places could not be searched, which `glob` passes over in silence."""
    top = pattern_top(pattern)
    # ** is a part of its own or, as in a shell, no more than *: `glob` refuses it up to Python 3.12
    parts = [part if part == "**" else re.sub(r"\*+", "*", part) for part in pattern.relative_to(top).parts]
    refused: dict[Path, OSError] = {}
    for at, part in enumerate(parts):
        if not is_pattern(Path(*parts[: at + 1])):
            continue
        # ** looks into all that it stands for, whatever else into what stands before it
        searched = Path(*parts[: at + 1] if part == "**" else parts[:at])
        for folder in top.glob(f"{searched}/") if searched.parts else [top]:
            try:
                if is_pattern(part):
                    os.scandir(folder).close()
                else:
                    (folder / part).stat()
            except FileNotFoundError:  # this folder has none
                pass
            except OSError as error:
                refused.setdefault(folder, error)
    return sorted(top.glob(str(Path(*parts)))), [refused[folder] for folder in sorted(refused)]
