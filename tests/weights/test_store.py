"""The store against a hub on loopback: fetching, going on, two at once, tampering, no network, a full disk."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
from hub_server import Hub

from facemotion.errors import ChecksumError, DownloadError, UnknownNameError
from facemotion.weights.catalogue import Entry, Pin
from facemotion.weights.hub import download_latest
from facemotion.weights.store import locate, where

CONTENT = random.Random(4).randbytes(300_000)
NAME = "detector.onnx"


def entry_for(hub: Hub, content: bytes = CONTENT, **changes: object) -> Entry:
    pin = Pin(hashlib.sha256(content).hexdigest(), len(content))
    revision = hub.add("somebody/detector", {NAME: content})
    made = Entry("small", "detector", "MIT", {NAME: pin}, repo="somebody/detector", revision=revision)
    return dataclasses.replace(made, **changes)


def cache() -> Path:
    return Path(huggingface_hub.constants.HF_HUB_CACHE)


def leave(name: str, data: bytes) -> None:
    """A file of this name among what is fetched of the detector's repository."""
    blobs = cache() / "models--somebody--detector" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / name).write_bytes(data)


def run(hub: Hub, entry: Entry, tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    """`locate` in a process of its own, which knows the hub from its environment alone."""
    script = (
        "from facemotion.weights.catalogue import Entry, Pin\n"
        "from facemotion.weights.store import locate\n"
        "from facemotion.errors import FacemotionError\n"
        f"place = dict(repo={entry.repo!r}, revision={entry.revision!r})\n"
        f"entry = Entry('small', 'detector', 'MIT', {entry.files!r}, **place)\n"
        "try:\n    print(locate(entry))\n"
        "except FacemotionError as error:\n    raise SystemExit(f'{type(error).__name__}: {error}')\n"
    )
    variables = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache"), **environment}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_fetched_once_then_found_without_asking(hub: Hub) -> None:
    entry = entry_for(hub)
    assert where(entry) is None
    path = locate(entry)
    assert path.read_bytes() == CONTENT
    assert where(entry) == path
    asked = len(hub.requests)
    assert locate(entry, local_files_only=True) == path
    assert len(hub.requests) == asked
    # the cache is the hub's own: other programs find the file too
    assert huggingface_hub.try_to_load_from_cache("somebody/detector", NAME, cache(), entry.revision) == str(path)


def test_no_token_goes_to_the_storage_host(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    locate(entry_for(hub))
    sent = {path.split("/")[1]: headers.get("authorization") for method, path, headers in hub.requests}
    assert sent["somebody"] == "Bearer hf_secret"
    assert sent["storage"] is None


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub) -> None:
    entry = entry_for(hub)
    hub.cut_at, hub.cuts = 100_000, 1
    assert locate(entry).read_bytes() == CONTENT
    ranges = [asked for path, asked in hub.bodies() if path.startswith("/storage/")]
    assert ranges == [None, "bytes=100000-"]


def test_a_body_that_ends_early_without_a_word_is_gone_on_with(hub: Hub) -> None:
    """A proxy that told no length: what came is the beginning of the file, and no forgery."""
    entry = entry_for(hub)
    hub.cut_at, hub.cuts, hub.lengths = 100_000, 1, False
    with pytest.raises(DownloadError, match=f"expected {len(CONTENT)} bytes, the hub sent 100000; try again"):
        locate(entry)
    assert locate(entry).read_bytes() == CONTENT
    ranges = [asked for path, asked in hub.bodies() if path.startswith("/storage/")]
    assert ranges == [None, "bytes=100000-"]


def test_the_next_run_goes_on_where_a_killed_one_stopped(hub: Hub, tmp_path: Path) -> None:
    entry = entry_for(hub)
    hub.cut_at, hub.cuts, hub.stall = 200_000, 1, 30
    process = run(hub, entry, tmp_path)
    deadline = time.monotonic() + 30
    while sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.incomplete")) < 200_000:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert where(entry, cache_dir=tmp_path / "cache") is None
    process = run(hub, entry, tmp_path)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert Path(output.strip()).read_bytes() == CONTENT
    assert [asked for path, asked in hub.bodies() if path.startswith("/storage/")] == [None, "bytes=200000-"]


def test_a_rest_that_is_not_the_beginning_of_the_file_is_refused_and_the_next_try_succeeds(hub: Hub) -> None:
    entry = entry_for(hub)
    leave(f"{entry.files[NAME].sha256}.incomplete", b"x" * 1000)
    with pytest.raises(ChecksumError, match=r"\.refused"):
        locate(entry)
    assert where(entry) is None
    assert locate(entry).read_bytes() == CONTENT


def test_more_than_the_file_has_is_no_beginning_of_it(hub: Hub) -> None:
    entry = entry_for(hub)
    leave(f"{entry.files[NAME].sha256}.incomplete", CONTENT + b"more")
    assert locate(entry).read_bytes() == CONTENT


def test_what_a_kill_left_of_a_file_that_nobody_promised_is_fetched_anew(hub: Hub) -> None:
    content = b"x" * 1000
    hub.add("somebody/detector", {"config.json": content})
    tag = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    leave(f"{tag}.incomplete", b"y" * 400)
    path = download_latest("somebody/detector", "config.json", None, None, False, most=len(content))
    assert path.read_bytes() == content


def test_a_server_that_knows_no_ranges_sends_it_all_again(hub: Hub) -> None:
    entry = entry_for(hub)
    hub.cut_at, hub.cuts, hub.ranges = 200_000, 1, False
    assert locate(entry).read_bytes() == CONTENT
    assert [asked for path, asked in hub.bodies() if path.startswith("/storage/")] == [None, "bytes=200000-"]


def test_four_processes_at_once_fetch_once(hub: Hub, tmp_path: Path) -> None:
    entry = entry_for(hub)
    hub.slow = 1.5
    processes = [run(hub, entry, tmp_path) for _ in range(4)]
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, results
    assert all(Path(output.strip()).read_bytes() == CONTENT for output, _ in results)
    assert len([path for path, _ in hub.bodies() if path.startswith("/storage/")]) == 1


def test_tampered_bytes_of_the_hub_are_never_used(hub: Hub) -> None:
    entry = entry_for(hub)
    tampered = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    hub.files["somebody/detector", entry.revision][NAME] = tampered
    hub.files["somebody/detector", "main"][NAME] = tampered
    with pytest.raises(ChecksumError, match=f"expected sha256 {entry.files[NAME].sha256}"):
        locate(entry)
    assert where(entry) is None
    assert [path.read_bytes() for path in cache().rglob("*.refused")] == [tampered]


def test_another_size_is_refused_before_fetching(hub: Hub) -> None:
    entry = entry_for(hub)
    larger = dataclasses.replace(entry, files={NAME: Pin(entry.files[NAME].sha256, 5)})
    with pytest.raises(ChecksumError, match="expected 5 bytes, the hub offers 300000"):
        locate(larger)
    assert not [path for path, _ in hub.bodies() if path.startswith("/storage/")]


def test_a_flipped_byte_in_the_cache_is_found_and_nothing_deleted(hub: Hub) -> None:
    entry = entry_for(hub)
    path = locate(entry)
    damaged = CONTENT[:-1] + bytes([CONTENT[-1] ^ 0x80])
    path.write_bytes(damaged)
    with pytest.raises(ChecksumError, match="facemotion weights fetch small") as caught:
        locate(entry)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == damaged
    # what the message says to do
    path.rename(path.with_name("aside"))
    assert locate(entry).read_bytes() == CONTENT
    assert damaged in [each.read_bytes() for each in cache().rglob("*.refused")]


def test_without_a_network(hub: Hub, tmp_path: Path) -> None:
    entry = entry_for(hub)
    process = run(hub, entry, tmp_path, HF_HUB_OFFLINE="1")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "DownloadError: small was not found in the cache" in errors
    assert "facemotion weights fetch small --to DIR" in errors
    assert "HF_HUB_OFFLINE" in errors
    with pytest.raises(DownloadError, match="was not found in the cache"):
        locate(entry, local_files_only=True)
    assert hub.requests == []
    run(hub, entry, tmp_path).communicate(timeout=60)
    output, errors = run(hub, entry, tmp_path, HF_HUB_OFFLINE="1").communicate(timeout=60)
    assert Path(output.strip()).read_bytes() == CONTENT, errors


def test_a_hub_that_does_not_answer(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = entry_for(hub)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}"
    )
    with pytest.raises(DownloadError, match="try again"):
        locate(entry)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repo": "somebody/nothing"}, "no such repository"),
        ({"revision": "0" * 40}, "no such revision"),
        ({"files": {"other.onnx": Pin("0" * 64)}}, "no such file"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub: Hub, change: dict[str, object], said: str) -> None:
    with pytest.raises(DownloadError, match=said):
        locate(entry_for(hub, **change))


def test_a_disk_without_room(hub: Hub) -> None:
    entry = entry_for(hub)
    huge = 1 << 60
    hub.files["somebody/detector", entry.revision][NAME] = _Huge(CONTENT)
    pinned = dataclasses.replace(entry, files={NAME: Pin(entry.files[NAME].sha256, huge)})
    with pytest.raises(DownloadError, match=rf"the disk is full: {huge} bytes are needed and \d+ are free"):
        locate(pinned)


class _Huge(bytes):
    """Content that claims more bytes than any disk has."""

    def __len__(self) -> int:
        return 1 << 60


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
def test_a_disk_that_fills_up_while_writing(hub: Hub, tmp_path: Path) -> None:
    entry = entry_for(hub)
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))"
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(limited)
    process = run(hub, entry, tmp_path, PYTHONPATH=str(tmp_path / "site"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the disk is full" in errors
    assert where(entry, cache_dir=tmp_path / "cache") is None


def test_the_package_comes_first(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "files" / "small"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    entry = entry_for(hub, folder=folder)
    assert locate(entry) == folder / NAME
    assert hub.requests == []
    (folder / NAME).unlink()
    assert locate(entry).read_bytes() == CONTENT  # a damaged installation is mended from the hub
    with pytest.raises(DownloadError, match="reinstall facemotion"):
        locate(dataclasses.replace(entry, repo=None, revision=None))


def test_emotion_weights_are_a_folder(hub: Hub) -> None:
    files = {"config.json": b"{}", "model.safetensors": CONTENT}
    revision = hub.add("somebody/emotions", files)
    pins = {name: Pin(hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()}
    entry = Entry("mine", "emotion", "MIT", pins, repo="somebody/emotions", revision=revision)
    folder = locate(entry)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    (folder / "config.json").unlink()
    assert where(entry) is None
    assert locate(entry) == folder


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'yunet'"):
        locate("yunnet")


def test_torch_is_not_needed() -> None:
    script = "import sys, facemotion.weights.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
