"""One file from the hub into its cache: asked for once, fetched, verified, and only then given its name.

Nothing that the hub says is believed: its names become names of files only if they are plain, its lengths are kept to,
and one that holds on to whoever asks is given up.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock, build_hf_headers, hf_raise_for_status, http_stream_backoff, tqdm

from facemotion.errors import ChecksumError, DownloadError, WeightsError
from facemotion.version import __version__
from facemotion.weights.catalogue import Pin, sha256_of

logger = logging.getLogger(__name__)

# what a hub calls a version of a file; it becomes a file name in the cache, so nothing else is let through
_ETAG = re.compile(r"[A-Za-z0-9-]{8,128}")
# that of a small file, by which git knows it
_GIT = re.compile(r"[0-9a-f]{40}")
COMMIT = re.compile(r"[0-9a-f]{40}")

_TIMEOUT = 30  # seconds without a byte
_SLOWEST = 200  # bytes a second: a hub that sends fewer holds on to whoever waits


@dataclass(frozen=True)
class Offer:
    """What the hub says of a file. Its names become names in the cache: none is taken that is anything but a name."""

    url: str
    etag: str
    commit: str
    size: int


@dataclass(frozen=True)
class Place:
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


def ask(what: str, repo: str, filename: str, revision: str) -> Offer:
    url = huggingface_hub.hf_hub_url(repo, filename, revision=revision)
    told = huggingface_hub.get_hf_file_metadata(url)
    for name, value, form in (("ETag", told.etag, _ETAG), ("commit", told.commit_hash, COMMIT)):
        if value is None or not form.fullmatch(value):
            raise DownloadError(f"{what}: {constants.ENDPOINT} does not answer as a hub does ({name} {value!r})")
    if told.size is None or told.size < 0:
        raise DownloadError(f"{what}: {constants.ENDPOINT} does not answer as a hub does (size {told.size})")
    return Offer(url, str(told.etag), str(told.commit_hash), told.size)


def fetch(what: str, offer: Offer, place: Place, pin: Pin | None) -> Path:
    """Fetch what is offered into its place. The hub is not asked again: its next answer might be another one."""
    if place.root.parts[0] == "~":
        raise DownloadError(f"{what} can't be fetched: there is no home folder; name another place: HF_HUB_CACHE")
    blob = place.folder / "blobs" / offer.etag
    lock = place.root / ".locks" / place.folder.name / f"{offer.etag}.lock"
    blob.parent.mkdir(parents=True, exist_ok=True)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        # whoever moves a damaged file away moves a link, and what it leads to stays; a blob that is a link is not ours
        if blob.is_file() and not blob.is_symlink() and _is_damaged(blob, pin):
            blob.replace(_refused(blob))
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


def _is_damaged(blob: Path, pin: Pin | None) -> bool:
    """Whether a file in the cache is not the promised one; without a promise, not the one that its name tells of."""
    if pin is not None:
        return sha256_of(blob) != pin.sha256
    if not _GIT.fullmatch(blob.name):
        return False
    data = blob.read_bytes()  # nobody has promised it, so it is a small one
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest() != blob.name


def _complete(what: str, offer: Offer, blob: Path, pin: Pin | None) -> None:
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
        file.seek(file.truncate(have))  # to cut a file off moves nobody back to its end
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
    if partial.stat().st_size != size:
        raise DownloadError(f"{what}: expected {size} bytes, the hub sent {partial.stat().st_size}; try again")
    found = sha256_of(partial)
    if pin is not None and found != pin.sha256:
        partial.replace(_refused(blob))
        raise ChecksumError(
            f"{what}: expected sha256 {pin.sha256}, the hub sent {found}; it was not used, and lies in "
            f"{_refused(blob)}. "
            f"If HF_ENDPOINT is set, is it to be trusted? It is {constants.ENDPOINT}"
        )
    partial.replace(blob)


def _refused(blob: Path) -> Path:
    """Where bytes lie that are not the promised ones: nothing is deleted."""
    return blob.with_name(f"{blob.name}.refused")


def _no_link(path: str, flags: int) -> int:
    """Open a file itself: a link in its place would have another file overwritten, anywhere."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _append(what: str, offer: Offer, file: BinaryIO) -> None:
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
