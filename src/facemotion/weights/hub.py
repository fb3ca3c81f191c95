"""Files of the Hugging Face hub: out of its cache, or fetched, verified and put there.

With `transfer`, which fetches, the one place that asks the hub.

The cache is the hub's own, laid out as huggingface_hub lays it out, so that other programs' copies are found and
`hf cache` manages ours. Its own download starts again after an interruption; this one goes on where it stopped.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from facemotion.errors import ChecksumError, DownloadError, WeightsError
from facemotion.file_names import at_home
from facemotion.version import __version__
from facemotion.weights.catalogue import Pin
from facemotion.weights.transfer import COMMIT, Place, ask, fetch

logger = logging.getLogger(__name__)


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where fetched files lie: the folder that was asked for, else the hub's cache (HF_HUB_CACHE, HF_HOME)."""
    return at_home(cache_dir or constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return bool(constants.HF_HUB_OFFLINE)


def cached(repo: str, filename: str, revision: str, cache_dir: str | Path | None = None) -> Path | None:
    """The file, where it is in the cache already; neither network nor checksum is asked."""
    found = huggingface_hub.try_to_load_from_cache(repo, filename, cache_folder(cache_dir), revision)
    return Path(found) if isinstance(found, str) else None


def download(repo: str, filename: str, revision: str, pin: Pin, cache_dir: str | Path | None = None) -> Path:
    """A file of the hub whose bytes are known in advance: fetched, verified, and only then put into the cache.

    What an interruption left is gone on with. Of two processes at once, one fetches and the other waits for it.
    """
    what = f"{filename} of {repo}@{revision[:12]}"
    with _explained(what, cache_dir):
        offer = ask(what, repo, filename, revision)
        if pin.size is not None and offer.size != pin.size:
            raise ChecksumError(f"{what}: expected {pin.size} bytes, the hub offers {offer.size}; nothing was fetched")
        return fetch(what, offer, Place(cache_folder(cache_dir), repo, revision, filename), pin)


def download_latest(
    repo: str, filename: str, revision: str | None, cache_dir: str | Path | None, local_files_only: bool, most: int
) -> Path:
    """A small file whose bytes nobody has promised: the one that a branch, tag or commit of the hub has now.

    Without a network it is the one that was fetched last. most: the bytes that are taken of it.
    """
    what = f"{filename} of {repo}{f'@{revision}' if revision else ''}"
    with _explained(what, cache_dir):
        wanted = revision or "main"
        there = cached(repo, filename, wanted, cache_dir)
        if there is not None and COMMIT.fullmatch(wanted):
            return there
        try:
            if local_files_only:
                raise LocalEntryNotFoundError(f"{what} is not in the cache")
            offer = ask(what, repo, filename, wanted)
        except (DownloadError, RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception as error:  # no way to the hub; its client lets its HTTP library's exceptions out
            absent = isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError)
            if there is None or absent:
                raise
            return there
        if offer.size > most:
            raise ChecksumError(f"{what}: expected at most {most} bytes, the hub offers {offer.size}")
        place = Place(cache_folder(cache_dir), repo, offer.commit, filename)
        path = fetch(what, offer, place, pin=None)
        if wanted != offer.commit:  # what the name stands for now, for when there is no network
            ref = place.folder / "refs" / wanted
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(offer.commit, "utf-8")
        return path


def upload(folder: Path, repo: str, *, private: bool, message: str, token: str | None = None) -> str:
    """Publish all files of a folder as one commit of a repository, which is made if need be; gives the commit."""
    api = huggingface_hub.HfApi(
        endpoint=constants.ENDPOINT, token=token, library_name="facemotion", library_version=__version__
    )
    with _explained(f"{repo} of the hub", None, doing="written"):
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
        return str(commit.oid)


@contextmanager
def _explained(what: str, cache_dir: str | Path | None, doing: str = "fetched") -> Iterator[None]:
    """Turn whatever goes wrong on the way to the hub and back into a DownloadError that says what to do."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:  # the hub's client lets its HTTP library's exceptions out, another one each few releases
        raise DownloadError(f"{what} can't be {doing}: {_reason(error, cache_dir, doing)}") from error


def _reason(error: Exception, cache_dir: str | Path | None, doing: str) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 10:
        causes.append(cast(Exception, cause))
    if isinstance(error, HFValidationError):  # found before the hub is asked
        return f"no repository of the hub can be called so. {str(error).rstrip('.')}"
    absent = isinstance(error, LocalEntryNotFoundError)
    if (
        is_offline()
        or any(isinstance(each, OfflineModeIsEnabled) for each in causes)
        or (absent and not error.__cause__)
    ):
        absence = "it is not in the cache, and " if doing == "fetched" else ""
        return f"{absence}HF_HUB_OFFLINE or local_files_only forbids the network"
    if isinstance(error, GatedRepoError):
        return "the repository is gated: ask for access on its page, then `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return f"{constants.ENDPOINT} has no such repository, or it is private: `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return "the repository has no such revision"
    if isinstance(error, EntryNotFoundError) and not absent:
        return "the repository has no such file"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full: {error.strerror}. Free some, or name another place: cache_dir or HF_HUB_CACHE"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EROFS):
        return f"{cache_folder(cache_dir)} can't be written: {error.strerror}; name another place: HF_HUB_CACHE"
    told = error.__cause__ or error if absent else error
    return f"{type(told).__name__}: {told} (asked: {constants.ENDPOINT}); try again"
