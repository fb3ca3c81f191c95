"""Files of the Hugging Face hub: out of its cache, or fetched, verified and put there. The one place that asks the hub.

The cache is the hub's own, laid out as huggingface_hub lays it out, so that other programs' copies are found and
`hf cache` manages ours. Its own download starts again after an interruption; this one goes on where it stopped.
"""

from __future__ import annotations

import errno
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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

_CHUNK = 1 << 16
_TIMEOUT = 30  # seconds without a byte


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
        url = huggingface_hub.hf_hub_url(repo, filename, revision=revision)
        metadata = huggingface_hub.get_hf_file_metadata(url)
        if metadata.etag is None or not _ETAG.fullmatch(metadata.etag):
            raise DownloadError(f"{what}: {constants.ENDPOINT} does not answer as a hub does (ETag {metadata.etag!r})")
        if pin.size is not None and metadata.size not in (None, pin.size):
            raise ChecksumError(
                f"{what}: expected {pin.size} bytes, the hub offers {metadata.size}; nothing was fetched"
            )
        root = cache_folder(cache_dir)
        folder = root / repo_folder_name(repo_id=repo, repo_type="model")
        blob = folder / "blobs" / metadata.etag
        lock = root / ".locks" / folder.name / f"{metadata.etag}.lock"
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if not blob.exists():
                _complete(what, url, blob, metadata.size or pin.size, pin)
        # finds the blob, and makes the cache's entry for it without fetching anything
        return Path(huggingface_hub.hf_hub_download(repo, filename, revision=revision, cache_dir=root))


def download_latest(
    repo: str, filename: str, revision: str | None, cache_dir: str | Path | None, local_files_only: bool
) -> Path:
    """A small file whose bytes nobody has promised: the one that a branch, tag or commit of the hub has now.

    Without a network it is the one that was fetched last.
    """
    with _explained(f"{filename} of {repo}{f'@{revision}' if revision else ''}", cache_dir):
        root = cache_folder(cache_dir)
        path = huggingface_hub.hf_hub_download(
            repo, filename, revision=revision, cache_dir=root, local_files_only=local_files_only
        )
        return Path(path)


def upload(folder: Path, repo: str, *, private: bool, message: str, token: str | None = None) -> str:
    """Publish all files of a folder as one commit of a repository, which is made if need be; gives the commit."""
    api = huggingface_hub.HfApi(
        endpoint=constants.ENDPOINT, token=token, library_name="facemotion", library_version=__version__
    )
    with _explained(f"{repo} of the hub", None, doing="written"):
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo, folder_path=folder, commit_message=message)
        return str(commit.oid)


def _complete(what: str, url: str, blob: Path, size: int | None, pin: Pin) -> None:
    """Fetch what is still missing of a blob, and give it its name once its bytes are the promised ones."""
    partial = blob.with_name(f"{blob.name}.incomplete")
    have = partial.stat().st_size if partial.exists() else 0
    if size is not None and have > size:  # it can't be the beginning of this file
        have = 0
    free = shutil.disk_usage(blob.parent).free
    if size is not None and free < size - have:
        raise OSError(errno.ENOSPC, f"{size - have} bytes are needed and {free} are free", str(blob.parent))
    logger.info("fetching %s%s%s", what, f", {size} bytes" if size else "", f", going on at {have}" if have else "")
    with partial.open("ab") as file:
        file.truncate(have)
        while size is None or file.tell() < size:
            before = file.tell()
            try:
                _append(what, url, file, size)
                break
            except OSError:  # an answer of the hub, or of this machine's disk: asking again would not change it
                raise
            except Exception as error:  # the connection broke; as long as each try brings something, it is worth it
                if file.tell() <= before:
                    raise
                logger.warning("%s: cut off at %d bytes (%s), going on", what, file.tell(), error)
    found = sha256_of(partial)
    if found != pin.sha256:
        aside = blob.with_name(f"{blob.name}.refused")
        partial.replace(aside)
        raise ChecksumError(
            f"{what}: expected sha256 {pin.sha256}, the hub sent {found}; it was not used, and lies in {aside}. "
            f"If HF_ENDPOINT is set, is it to be trusted? It is {constants.ENDPOINT}"
        )
    partial.replace(blob)


def _append(what: str, url: str, file: BinaryIO, size: int | None) -> None:
    """Fetch from where the file ends. Small pieces: what has come is on the disk when the connection breaks."""
    have = file.tell()
    headers = build_hf_headers(library_name="facemotion", library_version=__version__)
    headers["Accept-Encoding"] = "identity"  # a range of compressed bytes is no range of the file
    if have:
        headers["Range"] = f"bytes={have}-"
    request = http_stream_backoff("GET", url, headers=headers, timeout=_TIMEOUT, retry_on_exceptions=())
    with request as response:
        hf_raise_for_status(response)
        if have and response.status_code != 206:  # this server knows no ranges: from the start
            have = 0
            file.truncate(0)
        # on a terminal alone (disable=None); elsewhere the log tells of it
        with tqdm(total=size, initial=have, unit="B", unit_scale=True, desc=what, disable=None) as bar:
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


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
