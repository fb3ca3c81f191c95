"""A Ray cluster of two workers on this machine: the tables of one process, whoever dies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
from clips import across, write_clip
from PIL import Image
from scale_files import BROKEN, PICTURES, colour, rows, sources

from facemotion import FacemotionError
from facemotion.scale import Progress, predict_dataset

# Ray sets its own deprecated settings when it copies its settings
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}:DeprecationWarning:ray.data.context")
    for message in (
        "`use_push_based_shuffle` is deprecated! Configure `shuffle_strategy` instead.",
        "`use_polars` is deprecated, please configure `use_polars_sort`  instead.",
        "`use_arrow_tensor_v2` is deprecated. Configure `arrow_fixed_shape_tensor_format` instead.",
    )
]


ALONE = """
import sys
from facemotion import FacemotionError
from facemotion.scale import predict_dataset
source, out, weights = sys.argv[1:]
settings = {"weights": weights, "detector": "whole", "workers": 1}
for needs in ({"threads": 4096}, {"gpus": 99}):
    try:
        predict_dataset(source, out, **settings, **needs)
    except FacemotionError as error:
        print(error)
"""


def test_what_this_machine_has_not_is_refused(faces: Path, weights: Path, tmp_path: Path) -> None:
    """In a process of its own, since Ray must not run yet; without an end of its own it would wait for ever."""
    command = [sys.executable, "-c", ALONE, str(faces / "1"), str(tmp_path / "out"), str(weights)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    threads, gpus = (line for line in done.stdout.splitlines() if line.startswith("no worker"))
    assert re.fullmatch(
        r"no worker of threads=4096, gpus=0 fits on this machine: Ray finds \d+ processors and \d+ GPUs on it", threads
    )
    assert gpus.startswith("no worker of threads=1, gpus=99 fits on this machine")


@pytest.fixture(scope="module")
def cluster(fragile: Path) -> Iterator[None]:
    """Two workers, who have the detector `fragile` installed, as has this process."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(fragile))
    # a worker at a nicer priority than everybody else takes minutes on a busy machine
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(fragile)}},
    )
    yield
    ray.shutdown()
    monkeypatch.undo()


@pytest.fixture(scope="module")
def mixed(faces: Path, tmp_path_factory: pytest.TempPathFactory, astronaut_path: Path) -> Path:
    """Faces, broken files and a clip."""
    folder = tmp_path_factory.mktemp("mixed") / "mixed"
    shutil.copytree(faces, folder)
    portrait = np.array(Image.open(astronaut_path).convert("RGB"))
    write_clip(folder / "1" / "moving.mp4", portrait, [across(-10, 190, 80), across(450, -190, 95)], 2.0)
    return folder


@pytest.mark.usefixtures("cluster")
def test_two_workers_give_the_tables_of_one_process(
    mixed: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the workers stand where the cluster was started
    monkeypatch.chdir(mixed.parent)
    told: list[Progress] = []
    outcomes = [
        predict_dataset(
            "mixed", tmp_path / engine, weights=weights, engine=engine, part_size=8, segment_seconds=0.5, progress=tell
        )
        for engine, tell in (("ray", told.append), ("local", None))
    ]
    assert [each.inputs for each in outcomes] == [PICTURES + 1] * 2
    assert [each.errors for each in outcomes] == [len(BROKEN)] * 2
    for table in ("faces", "frames", "errors"):
        assert rows(tmp_path / "ray", table) == rows(tmp_path / "local", table) != []
    assert told[-1].done == told[-1].total == PICTURES + 50
    assert not set(sources(tmp_path / "ray", "faces")) & set(sources(tmp_path / "ray", "errors"))


@pytest.mark.usefixtures("cluster")
def test_dead_workers_are_replaced_and_poison_stops_nothing(
    faces: Path, weights: Path, fragile: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "faces"
    shutil.copytree(faces, folder)
    colour(folder / "0" / "003-red.png", 255, 0, 0)
    colour(folder / "1" / "033-blue.png", 0, 0, 255)
    colour(folder / "2" / "044-green.png", 0, 255, 0)
    (fragile / "seen").unlink(missing_ok=True)
    outcome = predict_dataset(folder, tmp_path / "out", weights=weights, detector="fragile", part_size=8, retries=0)
    assert (fragile / "seen").exists(), "a worker died over the blue picture, once"
    # three times over the red one, once over the blue one
    assert outcome.redone == 4
    reasons = {Path(row["source"]).name: row["reason"] for row in rows(tmp_path / "out", "errors")}
    assert reasons.keys() == {"003-red.png", "044-green.png", *(f"{number:03}.png" for number in BROKEN)}
    assert reasons["003-red.png"].startswith("the worker that looked at it ended 3 times")
    inputs = [str(path) for path in sorted(folder.rglob("*.png"))]
    assert sorted(sources(tmp_path / "out", "faces") + sources(tmp_path / "out", "errors")) == inputs
    # all others have the scores that they have without any death
    (fragile / "seen").touch()
    predict_dataset(faces, tmp_path / "plain", weights=weights, detector="whole", engine="local", part_size=8)
    plain = {row["source"].removeprefix(str(faces)): row for row in rows(tmp_path / "plain", "faces")}
    for row in rows(tmp_path / "out", "faces"):
        name = row["source"].removeprefix(str(folder))
        if name in plain:
            assert row["neutral"] == pytest.approx(plain[name]["neutral"], abs=1e-6)


@pytest.mark.usefixtures("cluster")
def test_what_is_wrong_with_the_workers_ends_the_run_with_our_error(faces: Path, weights: Path, tmp_path: Path) -> None:
    """Weights whose tensors are damaged: their description is read here, the tensors by the workers."""
    damaged = tmp_path / "damaged"
    shutil.copytree(weights, damaged)
    tensors = damaged / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"x")
    with pytest.raises(FacemotionError) as raised:
        predict_dataset(faces, tmp_path / "out", weights=damaged, detector="whole")
    assert "sha256" in str(raised.value)
    assert not (tmp_path / "out" / "faces").exists()
