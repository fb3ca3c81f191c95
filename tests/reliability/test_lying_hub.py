"""Against a hub that lies about names, lengths, bytes and time: an error, and nothing outside or half in the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
from lying_hub import COMMIT, LyingHub, serve_lies

from facemotion.errors import ChecksumError, DownloadError, WeightsError
from facemotion.weights import transfer
from facemotion.weights.catalogue import Entry, Pin
from facemotion.weights.sources import resolve
from facemotion.weights.store import locate, where

BODY = bytes(range(256)) * 400
ENTRY = Entry(
    "small",
    "detector",
    "MIT",
    {"d.onnx": Pin(hashlib.sha256(BODY).hexdigest(), len(BODY))},
    repo="somebody/detector",
    revision=COMMIT,
)


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LyingHub]:
    with serve_lies() as hub:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        hub.body = BODY
        yield hub


def outside(tmp_path: Path) -> list[Path]:
    """Every file that lies anywhere but in the cache."""
    return [path for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.relative_to(tmp_path).parts]


def finished(tmp_path: Path) -> list[Path]:
    """Every file of the cache that another run would take for whole."""
    cache = tmp_path / "home" / "cache"
    unfinished = (".incomplete", ".refused", ".lock")
    return [path for path in cache.rglob("*") if path.is_file() and path.suffix not in unfinished]


NAMES = ["../../../../../pwned", "..", "", "a/b", "{home}/pwned", "a\\b", "x" * 5000, "nul\x01byte", "~/pwned", "."]


@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_a_path_is_refused(liar: LyingHub, tmp_path: Path, header: str, name: str) -> None:
    value = name.format(home=tmp_path)
    if header == "X-Linked-ETag" and not value:
        pytest.skip("then the ETag counts")
    liar.told = {header: f'"{value}"' if "ETag" in header else value}
    with pytest.raises(DownloadError, match="does not answer as a hub does"):
        resolve("somebody/faces")
    with pytest.raises(DownloadError, match="does not answer as a hub does"):
        locate(ENTRY)
    assert outside(tmp_path) == finished(tmp_path) == []
    assert not [each for each in liar.asked if each.startswith("GET") and "/resolve/" in each]


@pytest.mark.parametrize("told", ["", "-5", "nonsense", "1e9"])
def test_a_hub_that_does_not_say_how_long_a_file_is_is_not_listened_to(liar: LyingHub, told: str) -> None:
    liar.told = {"Content-Length": told}
    with pytest.raises(DownloadError):
        resolve("somebody/faces")
    with pytest.raises(DownloadError):
        locate(ENTRY)
    assert liar.sent == 0


def test_a_config_of_many_gigabytes_is_refused_before_it_is_fetched(liar: LyingHub) -> None:
    liar.told = {"Content-Length": str(10**12)}
    with pytest.raises(
        ChecksumError, match=r"config\.json .*: expected at most 1048576 bytes, the hub offers 10000000"
    ):
        resolve("somebody/faces")
    assert liar.sent == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}, {"Content-Length": str(10**12)}])
def test_a_file_without_end_is_cut_off(liar: LyingHub, tmp_path: Path, headers: dict[str, str]) -> None:
    liar.endless, liar.headers = True, headers
    for ask in (lambda: resolve("somebody/faces"), lambda: locate(ENTRY)):
        with pytest.raises(WeightsError, match="offered 102400 bytes and sends more"):
            ask()
    assert finished(tmp_path) == []
    assert where(ENTRY) is None
    held = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert held <= 2 * len(BODY)


def test_fewer_bytes_than_were_offered(liar: LyingHub, tmp_path: Path) -> None:
    liar.told, liar.body = {"Content-Length": str(len(BODY))}, BODY[:1000]
    for ask in (lambda: locate(ENTRY), lambda: resolve("somebody/faces")):
        with pytest.raises(DownloadError, match="expected 102400 bytes, the hub sent 1000; try again"):
            ask()
    assert finished(tmp_path) == []
    assert where(ENTRY) is None
    # what came is gone on with, and counts for nothing where it is not the beginning of the file
    liar.body = BODY[:1000][::-1] + BODY[1000:]
    with pytest.raises(ChecksumError):
        locate(ENTRY)
    assert finished(tmp_path) == []


def test_another_part_than_was_asked_for(liar: LyingHub, tmp_path: Path) -> None:
    """The rest of a file that was cut off, from the wrong place."""
    blobs = tmp_path / "home" / "cache" / "models--somebody--detector" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "0123456789abcdef.incomplete").write_bytes(BODY[:40_000])
    liar.status, liar.body = 206, BODY[1 : len(BODY) - 39_999]
    liar.told = {"Content-Length": str(len(BODY))}
    with pytest.raises(ChecksumError):
        locate(ENTRY)
    assert finished(tmp_path) == []


def test_other_bytes_than_were_promised(liar: LyingHub, tmp_path: Path) -> None:
    liar.body = BODY[:-1] + b"x"
    with pytest.raises(ChecksumError, match=f"expected sha256 {ENTRY.files['d.onnx'].sha256}"):
        locate(ENTRY)
    assert finished(tmp_path) == []


@pytest.mark.parametrize(
    "to", ["{url}/again", "file:///etc/passwd", "gopher://localhost/", "http://127.0.0.1:9/", "::"]
)
def test_redirects_to_anywhere(liar: LyingHub, tmp_path: Path, to: str) -> None:
    liar.status, liar.headers = 302, {"Location": to.format(url=liar.url), "Content-Length": "0"}
    for ask in (lambda: resolve("somebody/faces"), lambda: locate(ENTRY)):
        with pytest.raises(WeightsError):
            ask()
    assert finished(tmp_path) == outside(tmp_path) == []


def test_a_hub_that_stalls(liar: LyingHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.5)
    liar.pause = 20
    with pytest.raises(DownloadError, match="Timeout"):
        locate(ENTRY)


def test_a_hub_that_sends_a_byte_at_a_time(liar: LyingHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silent for long, and never done."""
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.5)
    liar.pause = 0.05
    with pytest.raises(DownloadError, match=r"the hub sent \d+ bytes in \d+ seconds"):
        locate(ENTRY)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links can't be refused here")
@pytest.mark.parametrize("name", ["0123456789abcdef.incomplete", "0123456789abcdef"])
def test_a_link_in_the_cache_changes_no_other_file(liar: LyingHub, tmp_path: Path, name: str) -> None:
    blobs = tmp_path / "home" / "cache" / "models--somebody--detector" / "blobs"
    blobs.mkdir(parents=True)
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    (blobs / name).symlink_to(precious)
    with pytest.raises(WeightsError):
        locate(ENTRY)
    assert precious.read_bytes() == b"mine"


def test_the_command_line_knows_the_hub_from_its_environment_alone(liar: LyingHub, tmp_path: Path) -> None:
    liar.told = {"ETag": f'"{tmp_path}/pwned"'}
    variables = {**os.environ, "HF_ENDPOINT": liar.url, "HF_HOME": str(tmp_path / "home" / "cache")}
    command = [sys.executable, "-m", "facemotion", "weights", "fetch", "somebody/faces"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("facemotion: config.json of somebody/faces: http://127.0.0.1")
    assert outside(tmp_path) == []
