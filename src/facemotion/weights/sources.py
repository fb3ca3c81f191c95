"""What people name when they want emotion weights: a folder, a name of the catalogue, or owner/repo of the hub."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facemotion.errors import DownloadError, WeightsError
from facemotion.file_names import at_home
from facemotion.weights.catalogue import Pin, catalogue
from facemotion.weights.folder import LARGEST_CONFIG, read_config
from facemotion.weights.spec import CONFIG, MODEL, NO_PICKLES, PICKLES
from facemotion.weights.store import locate

logger = logging.getLogger(__name__)

_REPO = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class Source:
    """Emotion weights on this machine. pins: what the catalogue promises of them, None where it knows nothing."""

    name: str
    folder: Path
    pins: Mapping[str, Pin] | None = None


def resolve(
    source: str | os.PathLike[str],
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Source:
    """The folder that a source means, fetched if need be: a folder, a catalogue name, or `owner/repo[@revision]`.

    A bare name of the catalogue is that, wherever one works: what lies in the current folder never takes its place.
    """
    text = os.fspath(source)
    folder = at_home(text)
    is_name = isinstance(source, str) and text in catalogue().entries
    if is_name and (folder / CONFIG).is_file():
        logger.warning("%s is taken for the weights of that name; for the folder here say ./%s", text, text)
    if text and not is_name and folder.is_dir():
        return Source(text, folder)
    if folder.is_file() and not is_name:
        hint = NO_PICKLES if text.endswith(PICKLES) else "give the folder that holds config.json"
        raise WeightsError(f"{text}: weights are a folder, this is a file; {hint}")
    match = _REPO.fullmatch(text) if isinstance(source, str) else None
    if match and ".." not in text:
        asked = revision or match["revision"]
        return _from_hub(match["repo"], asked, cache_dir, local_files_only)
    if not isinstance(source, str) or re.search(r"[/\\~]", text) or not text:
        hint = "weights are a folder, a name or owner/repo of the hub"
        if isinstance(source, str) and text and not text.startswith((".", "/", "~")):
            hint = "nor can the hub have it: its names are owner/repo or owner/repo@revision, of letters, digits, -_."
        raise WeightsError(f"no such folder: {text}; {hint}")
    if revision is not None:
        raise WeightsError(f"{text} has its revision in the catalogue; revision is for owner/repo of the hub")
    entry = catalogue().find(text, "emotion")
    return Source(text, locate(entry, cache_dir=cache_dir, local_files_only=local_files_only), entry.files)


def _from_hub(repo: str, revision: str | None, cache_dir: str | Path | None, local_files_only: bool) -> Source:
    """Somebody's weights. Their own config.json says what the bytes are: that finds damage, not forgery."""
    from facemotion.weights import hub

    try:
        folder = hub.download_latest(repo, CONFIG, revision, cache_dir, local_files_only, most=LARGEST_CONFIG).parent
    except DownloadError as error:
        hint = f"weights on the hub have a {CONFIG}; {NO_PICKLES}. " if "no such file" in str(error) else ""
        there = f"There is no folder {repo} here either."
        raise DownloadError(f"{error}. {hint}{there}") from error
    config = read_config(folder)
    commit = folder.name
    pin = config.pins.get(MODEL)
    if pin is not None and hub.cached(repo, MODEL, commit, cache_dir) is None:
        if local_files_only:
            raise DownloadError(f"{repo}: {MODEL} is not in the cache ({hub.cache_folder(cache_dir)})")
        hub.download(repo, MODEL, commit, pin, cache_dir)
    return Source(f"{repo}@{revision}" if revision else repo, folder)
