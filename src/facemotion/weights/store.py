"""Finding weights: in the package, then the cache, then the hub. Nothing is handed out unverified.

torch is not needed here: detectors look for their files without it. The hub is imported where it is asked: that takes
a tenth of a second, and what travels in the package needs none.
"""

from __future__ import annotations

import logging
from pathlib import Path

from facemotion.errors import ChecksumError, DownloadError
from facemotion.weights.catalogue import Entry, Pin, catalogue, sha256_of

logger = logging.getLogger(__name__)

_REINSTALL = "reinstall facemotion"


def locate(weights: str | Entry, *, cache_dir: str | Path | None = None, local_files_only: bool = False) -> Path:
    """The verified files of a set of weights of the catalogue: a detector's file, or the folder of emotion weights.

    Looked for in the package, then in the cache, then fetched from the hub, unless `local_files_only`. Raises
    UnknownNameError, DownloadError (it can't be had) or ChecksumError (its bytes are not the promised ones).
    """
    entry = catalogue().find(weights) if isinstance(weights, str) else weights
    folder = _folder(entry, cache_dir)
    if folder is None:
        if entry.repo is None or entry.revision is None or local_files_only:
            raise DownloadError(_not_found(entry, cache_dir))
        from facemotion.weights import hub

        try:
            for filename, pin in entry.files.items():
                folder = hub.download(entry.repo, filename, entry.revision, pin, cache_dir).parent
        except DownloadError as error:
            raise DownloadError(f"{_not_found(entry, cache_dir)} ({error})") from error
        assert folder is not None  # an entry has at least one file
    for filename, pin in entry.files.items():
        fetch = f"move it away, then run `facemotion weights fetch {entry.name}`"
        verify(folder / filename, pin, fetch if entry.repo else _REINSTALL)
    return _place(entry, folder)


def where(weights: str | Entry, *, cache_dir: str | Path | None = None) -> Path | None:
    """Where the files lie on this machine, None where they don't; cheap: no network and no checksum is asked."""
    entry = catalogue().find(weights) if isinstance(weights, str) else weights
    folder = _folder(entry, cache_dir)
    return None if folder is None else _place(entry, folder)


def verify(path: Path, pin: Pin, remedy: str) -> None:
    """A ChecksumError unless the file is what was promised. Nothing is deleted: the remedy is for its owner to take."""
    found = sha256_of(path)
    if found != pin.sha256:
        raise ChecksumError(
            f"{path}: expected sha256 {pin.sha256}, got {found}. Nothing of it was used, nothing was deleted: {remedy}"
        )


def _place(entry: Entry, folder: Path) -> Path:
    """What is handed out of a folder with the files: of a detector its one file."""
    return folder / next(iter(entry.files)) if entry.kind == "detector" else folder


def _folder(entry: Entry, cache_dir: str | Path | None) -> Path | None:
    """The first folder on this machine that has all the files."""
    folders = [entry.folder] if entry.folder else []
    if entry.repo and entry.revision:
        from facemotion.weights import hub

        first = next(iter(entry.files))
        path = hub.cached(entry.repo, first, entry.revision, cache_dir)
        folders += [path.parent] if path else []
    return next((folder for folder in folders if all((folder / name).is_file() for name in entry.files)), None)


def _not_found(entry: Entry, cache_dir: str | Path | None) -> str:
    looked = [f"the package ({entry.folder})"] if entry.folder else []
    if entry.repo is None:
        return f"{entry.name} is not in {looked[0]}, where it belongs: {_REINSTALL}"
    from facemotion.weights import hub

    looked += [f"the cache ({hub.cache_folder(cache_dir)})"]
    return (
        f"{entry.name} was not found in {' or '.join(looked)}; it lies on the hub in {entry.repo}. With a network: "
        f"`facemotion weights fetch {entry.name}`; for a machine without one: `facemotion weights fetch {entry.name} "
        "--to DIR`"
    )
