"""SIGKILL at random moments of packing, fetching, preparing and writing video: what is left is right, or is not loaded.

Training has its own, in tests/training/test_kill.py.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import time
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
from hub_server import Hub

from facemotion.classifier import Classifier
from facemotion.data.prepare import prepare
from facemotion.data.samples import Samples
from facemotion.errors import FacemotionError
from facemotion.video.frames import read_frames
from facemotion.video.writing import ClipWriter
from facemotion.weights.catalogue import Entry, Pin
from facemotion.weights.store import locate

FRAMES = 60
CONTENT = random.Random(4).randbytes(3_000_000)


def faces(count: int) -> Samples:
    images = np.random.default_rng(0).integers(0, 256, (count, 24, 24), np.uint8)
    return Samples.from_arrays(images, np.arange(count) % 3, ("angry", "happy", "sad"), source="drawn")


def prepare_faces(out: Path, layout: str) -> None:
    """Twice, as when pictures come later: what was finished is taken up again."""
    for count in (60, 150):
        prepare(faces(count), out, layout=layout)


def pack(out: Path) -> None:
    Classifier.load("fast-7class", device="cpu").save(out)


def write_video(out: Path) -> None:
    out.mkdir(exist_ok=True)
    with ClipWriter(out / "a.mp4", 25) as writer:
        for index in range(FRAMES):
            writer.write(np.full((48, 64, 3), 4 * index % 256, np.uint8), index / 25)


def fetch(out: Path, url: str, entry: Entry) -> None:
    constants = huggingface_hub.constants
    constants.ENDPOINT, constants.HF_HUB_OFFLINE = url, False
    constants.HUGGINGFACE_CO_URL_TEMPLATE = url + "/{repo_id}/resolve/{revision}/{filename}"
    locate(entry, cache_dir=out)


def killed(work: Callable[..., None], *arguments: object, kills: int, check: Callable[[], None]) -> int:
    """Start work and kill it, many times; then let it finish. Gives how often it was killed before its end."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    draw, struck, longest = random.Random(0), 0, 2.0
    for _ in range(kills):
        process = processes.Process(target=work, args=arguments)
        process.start()
        began = time.monotonic()
        # at moments spread over as long as it takes
        process.join(draw.uniform(0, longest))
        if process.is_alive():
            process.kill()
            struck += 1
        else:
            longest = max(time.monotonic() - began, 0.05)
        process.join()
        check()
    process = processes.Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0
    check()
    return struck


def bytes_of(folder: Path) -> dict[str, str]:
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != "prepare.jsonl"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


@pytest.mark.parametrize("layout", ["folders", "npy", "pack"])
def test_preparing_goes_on(tmp_path: Path, rounds: Callable[[int, int], int], layout: str) -> None:
    prepare_faces(tmp_path / "whole", layout)
    killed(prepare_faces, tmp_path / "out", layout, kills=rounds(2, 100), check=lambda: None)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("layout", ["npy", "pack"])
def test_preparing_goes_on_after_a_kill_while_what_was_finished_is_taken_up(tmp_path: Path, layout: str) -> None:
    prepare_faces(tmp_path / "whole", layout)
    prepare(faces(60), tmp_path / "out", layout=layout)
    # the moment after the first bytes of what was finished
    (tmp_path / "out" / ".unfinished").mkdir()
    key = "faces" if layout == "pack" else "all"
    (tmp_path / "out" / ".unfinished" / f"{key}.raw.part").write_bytes(b"half")
    prepare(faces(150), tmp_path / "out", layout=layout)
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "whole")


def test_preparing_goes_on_after_a_kill_before_the_journal_s_first_line(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "prepare.jsonl").write_bytes(b'{"layout": "fol')
    assert prepare(faces(6), tmp_path / "out").faces == 6


def test_packed_weights_are_right_or_refused(tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    wanted = Classifier.load("fast-7class", device="cpu").config.labels

    def check() -> None:
        try:
            assert Classifier.load(tmp_path / "out", device="cpu").config.labels == wanted
        except FacemotionError:
            return

    killed(pack, tmp_path / "out", kills=rounds(2, 100), check=check)
    assert Classifier.load(tmp_path / "out", device="cpu").config.labels == wanted


def test_a_clip_has_all_its_frames_or_no_name(tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    def check() -> None:
        clip = tmp_path / "out" / "a.mp4"
        assert not clip.exists() or len(list(read_frames(clip))) == FRAMES

    killed(write_video, tmp_path / "out", kills=rounds(2, 100), check=check)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]


def test_a_fetched_file_is_whole_or_not_there(tmp_path: Path, hub: Hub, rounds: Callable[[int, int], int]) -> None:
    name, revision = "detector.onnx", hub.add("somebody/detector", {"detector.onnx": CONTENT})
    pin = Pin(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    entry = Entry("small", "detector", "MIT", {name: pin}, repo="somebody/detector", revision=revision)
    hub.slow = 0.02

    def check() -> None:
        for path in (tmp_path / "out").rglob(name):
            assert path.read_bytes() == CONTENT

    killed(fetch, tmp_path / "out", hub.url, entry, kills=rounds(2, 100), check=check)
    assert locate(entry, cache_dir=tmp_path / "out", local_files_only=True).read_bytes() == CONTENT
