"""Files of the Hugging Face hub: out of its cache, or fetched, verified and put there. The one place that asks the hub.

The cache is the hub's own, laid out as huggingface_hub lays it out, so that other programs' copies are found and
`hf cache` manages ours. Its own download starts again after an interruption; this one goes on where it stopped.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import (
    WeakFileLock,
    build_hf_headers,
    hf_raise_for_status,
    http_stream_backoff,
    tqdm,
)

from facemotion.errors import ChecksumError, DownloadError, WeightsError
from facemotion.version import __version__
from facemotion.weights.catalogue import Pin, sha256_of

logger = logging.getLogger(__name__)

# what a hub calls a version of a file; it becomes a file name in the cache, so nothing else is let through
_ETAG = re.compile(r"[A-Za-z0-9-]{8,128}")
_COMMIT = re.compile(r"[0-9a-f]{40}")

_TIMEOUT = 30  # seconds without a byte
_SLOWEST = 200  # bytes a second: a hub that sends fewer holds on to whoever waits


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """Where fetched files lie: the folder that was asked for, else the hub's cache (HF_HUB_CACHE, HF_HOME)."""
    return Path(cache_dir or constants.HF_HUB_CACHE).expanduser()


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
        offer = _ask(what, repo, filename, revision)
        if pin.size is not None and offer.size != pin.size:
            raise ChecksumError(f"{what}: expected {pin.size} bytes, the hub offers {offer.size}; nothing was fetched")
        return _fetch(what, offer, _Place(cache_folder(cache_dir), repo, revision, filename), pin)


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
        if there is not None and _COMMIT.fullmatch(wanted):
            return there
        try:
            if local_files_only:
                raise LocalEntryNotFoundError(f"{what} is not in the cache")
            offer = _ask(what, repo, filename, wanted)
        except (DownloadError, RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except Exception as error:  # no way to the hub; its client lets its HTTP library's exceptions out
            absent = isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError)
            if there is None or absent:
                raise
            return there
        if offer.size > most:
            raise ChecksumError(f"{what}: expected at most {most} bytes, the hub offers {offer.size}")
        place = _Place(cache_folder(cache_dir), repo, offer.commit, filename)
        path = _fetch(what, offer, place, pin=None)
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


@dataclass(frozen=True)
class _Offer:
    """What the hub says of a file. Its names become names in the cache: none is taken that is anything but a name."""

    url: str
    etag: str
    commit: str
    size: int


@dataclass(frozen=True)
class _Place:
    """Where a file belongs in the cache."""

    root: Path
    repo: str
    commit: str
    filename: str

    @property
    def folder(self) -> Path:
        return self.root / repo_folder_name(repo_id=self.repo, repo_type="model")

    @property
    def path(self) -> Path:
        return self.folder / "snapshots" / self.commit / self.filename


def _ask(what: str, repo: str, filename: str, revision: str) -> _Offer:
    url = huggingface_hub.hf_hub_url(repo, filename, revision=revision)
    told = huggingface_hub.get_hf_file_metadata(url)
    for name, value, form in (("ETag", told.etag, _ETAG), ("commit", told.commit_hash, _COMMIT)):
        if value is None or not form.fullmatch(value):
            raise DownloadError(f"{what}: {constants.ENDPOINT} does not answer as a hub does ({name} {value!r})")
    if told.size is None or told.size < 0:
        raise DownloadError(f"{what}: {constants.ENDPOINT} does not answer as a hub does (size {told.size})")
    return _Offer(url, str(told.etag), str(told.commit_hash), told.size)


def _fetch(what: str, offer: _Offer, place: _Place, pin: Pin | None) -> Path:
    """Fetch what is offered into its place. The hub is not asked again: its next answer might be another one."""
    blob = place.folder / "blobs" / offer.etag
    lock = place.root / ".locks" / place.folder.name / f"{offer.etag}.lock"
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if not blob.exists():
            _complete(what, offer, blob, pin)
        if not place.path.exists():
            place.path.parent.mkdir(parents=True, exist_ok=True)
            place.path.unlink(missing_ok=True)  # a link to what was deleted
            try:
                place.path.symlink_to(os.path.relpath(blob, place.path.parent))
            except OSError:  # a file system, or a Windows, without links
                shutil.copyfile(blob, blob.with_name(f"{blob.name}.copy"))
                blob.with_name(f"{blob.name}.copy").replace(place.path)
    return place.path


def _complete(what: str, offer: _Offer, blob: Path, pin: Pin | None) -> None:
    """Fetch what is still missing of a blob, and give it its name once its bytes are the promised ones."""
    partial = blob.with_name(f"{blob.name}.incomplete")
    size = offer.size
    have = partial.lstat().st_size if partial.exists() and pin else 0
    if have > size:  # it can't be the beginning of this file
        have = 0
    free = shutil.disk_usage(blob.parent).free
    if free < size - have:
        raise OSError(errno.ENOSPC, f"{size - have} bytes are needed and {free} are free", str(blob.parent))
    logger.info("fetching %s, %s bytes%s", what, size, f", going on at {have}" if have else "")
    with open(partial, "ab", opener=_no_link) as file:
        file.truncate(have)
        while file.tell() < size:
            before = file.tell()
            try:
                _append(what, offer, file)
                break
            except (OSError, WeightsError):  # an answer of the hub, or of this machine's disk: it would be the same
                raise
            except Exception as error:  # the connection broke; as long as each try brings something, it is worth it
                if file.tell() <= before:
                    raise
                logger.warning("%s: cut off at %d bytes (%s), going on", what, file.tell(), error)
    if partial.stat().st_size != size and pin is None:
        raise DownloadError(f"{what}: expected {size} bytes, the hub sent {partial.stat().st_size}; try again")
    found = sha256_of(partial)
    if pin is not None and found != pin.sha256:
        aside = blob.with_name(f"{blob.name}.refused")
        partial.replace(aside)
        raise ChecksumError(
            f"{what}: expected sha256 {pin.sha256}, the hub sent {found}; it was not used, and lies in {aside}. "
            f"If HF_ENDPOINT is set, is it to be trusted? It is {constants.ENDPOINT}"
        )
    partial.replace(blob)


def _no_link(path: str, flags: int) -> int:
    """Open a file itself: a link in its place would have another file overwritten, anywhere."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _append(what: str, offer: _Offer, file: BinaryIO) -> None:
    """Fetch from where the file ends, as the bytes come: what has come is on the disk when the connection breaks."""
    have = file.tell()
    headers = build_hf_headers(library_name="facemotion", library_version=__version__)
    headers["Accept-Encoding"] = "identity"  # a range of compressed bytes is no range of the file
    if have:
        headers["Range"] = f"bytes={have}-"
    request = http_stream_backoff("GET", offer.url, headers=headers, timeout=_TIMEOUT, retry_on_exceptions=())
    with request as response:
        hf_raise_for_status(response)
        if have and response.status_code != 206:  # this server knows no ranges: from the start
            have = 0
            file.truncate(0)
        began, came = time.monotonic(), 0
        # on a terminal alone (disable=None); elsewhere the log tells of it
        with tqdm(total=offer.size, initial=have, unit="B", unit_scale=True, desc=what, disable=None) as bar:
            for chunk in response.iter_raw():
                came += len(chunk)
                if have + came > offer.size:
                    raise ChecksumError(f"{what}: the hub offered {offer.size} bytes and sends more; it was not used")
                file.write(chunk)
                file.flush()
                bar.update(len(chunk))
                passed = time.monotonic() - began
                if passed > _TIMEOUT and came < passed * _SLOWEST:
                    raise TimeoutError(f"the hub sent {came} bytes in {passed:.0f} seconds")


@contextmanager
def _explained(what: str, cache_dir: str | Path | None, doing: str = "fetched") -> Iterator[None]:
    """Turn whatever goes wrong on the way to the hub and back into a DownloadError that says what to do."""
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:  # the hub's client lets its HTTP library's exceptions out, another one each few releases
        raise DownloadError(f"{what} can't be {doing}: {_reason(error, cache_dir)}") from error


def _reason(error: Exception, cache_dir: str | Path | None) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 10:
        causes.append(cast(Exception, cause))
    absent = isinstance(error, LocalEntryNotFoundError)
    if (
        is_offline()
        or any(isinstance(each, OfflineModeIsEnabled) for each in causes)
        or (absent and not error.__cause__)
    ):
        return "it is not in the cache, and HF_HUB_OFFLINE or local_files_only forbids the network"
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
