"""Weights folders of strangers: loaded or refused, and nothing in them is run, whatever they pretend to be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mutated_weights import DTYPES, load_mutated

from facemotion import FacemotionError, read_data
from facemotion.backbones.network import build_network, plan_network
from facemotion.backbones.state_dict import network_from_file
from facemotion.classifier import Classifier, save_network
from facemotion.errors import ChecksumError, ConfigError, TrainingError, WeightsError
from facemotion.inputs import InputSpec
from facemotion.training.checkpoint import load_checkpoint
from facemotion.weights.catalogue import catalogue
from facemotion.weights.folder import read_folder
from facemotion.weights.spec import Packing


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = plan_network("fast", "basic5", InputSpec(size=32))
    folder = tmp_path_factory.mktemp("whole") / "weights"
    save_network(build_network(config), dataclasses.replace(config, packing=Packing(int8=True)), folder)
    return folder


def forged(whole: Path, folder: Path, tensors: bytes | None = None, **changes: Any) -> Path:
    """A folder that is true to itself: the hash in its config is that of its tensors."""
    data = (whole / "model.safetensors").read_bytes() if tensors is None else tensors
    config = json.loads((whole / "config.json").read_text("utf-8"))
    config |= {"files": {"model.safetensors": hashlib.sha256(data).hexdigest()}} | changes
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "model.safetensors").write_bytes(data)
    return folder


def test_a_mutated_folder_is_loaded_or_refused(whole: Path, tmp_path: Path, rounds: Callable[[int, int], int]) -> None:
    count = rounds(60, 5000)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        toll = pool.submit(load_mutated, whole, tmp_path, 0, count).result()
    assert toll.wrong == []
    assert toll.loaded > 0
    assert toll.refused > count / 2
    assert toll.most_megabytes < 1024
    assert toll.slowest < 20


@pytest.mark.parametrize("key", ["temperature", "speed_ms", "margin", "dropout"])
def test_a_number_too_large_for_a_float_is_a_wrong_value(whole: Path, tmp_path: Path, key: str) -> None:
    config = json.loads((whole / "config.json").read_text("utf-8"))
    inner = {"margin": "input", "dropout": "head"}.get(key)
    changed = {inner: config[inner] | {key: 10**400}} if inner else {key: 10**400}
    with pytest.raises(ConfigError, match=rf"{key}.*: wrong value: expected (a number|a number or), got 1000|{key}"):
        Classifier.load(forged(whole, tmp_path / "forged", **changed))


@pytest.mark.parametrize("label", ["\ud800", "\x1b]0;mine\x07", "two\nlines", "bell\a", "\u202egnp.exe"])
def test_labels_that_would_write_to_a_terminal_are_refused(whole: Path, tmp_path: Path, label: str) -> None:
    labels = [label, "happy", "neutral", "sad", "surprise"]
    with pytest.raises(ConfigError, match="expected characters that can be shown") as caught:
        Classifier.load(forged(whole, tmp_path / "forged", labels=labels))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_of_another_type(whole: Path, tmp_path: Path, dtype: str) -> None:
    """Every tensor of a byte a value said to be of another such type, and of four bytes likewise."""
    data = (whole / "model.safetensors").read_bytes()
    [length] = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] in ("I8", "F32"):
            entry["dtype"] = dtype
    text = json.dumps(header).encode()
    changed = struct.pack("<Q", len(text)) + text + data[8 + length :]
    try:
        Classifier.load(forged(whole, tmp_path / "forged", changed), device="cpu")
    except ConfigError as error:
        assert str(error)


def test_every_tampered_byte_of_the_shipped_weights_is_refused(
    tmp_path: Path, rounds: Callable[[int, int], int]
) -> None:
    draw, count = random.Random(0), 0
    for entry in catalogue().entries.values():
        if entry.folder is None or entry.kind != "emotion":
            continue
        files = {name: (entry.folder / name).read_bytes() for name in entry.files}
        for _ in range(rounds(10, 250)):
            name = draw.choice(list(files))
            data = bytearray(files[name])
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            for file, content in files.items():
                (tmp_path / file).write_bytes(bytes(data) if file == name else content)
            with pytest.raises(ChecksumError):
                read_folder(tmp_path, entry.files)
            count += 1
    assert count >= 20


# what is no weights at all


class Canary:
    """Run on unpickling, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self._path),)


def disguises(canary: Path, scratch: Path) -> dict[str, bytes]:
    plain = pickle.dumps({"head.weight": Canary(canary)})
    torch.save({"head.weight": Canary(canary)}, scratch / "torch.pt")
    torch.save({"head.weight": Canary(canary)}, scratch / "old.pt", _use_new_zipfile_serialization=False)
    np.save(scratch / "object.npy", np.array([Canary(canary)], object), allow_pickle=True)
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    polyglot = struct.pack("<Q", len(header)) + header + bytes(4) + plain
    files = {name: (scratch / name).read_bytes() for name in ("torch.pt", "old.pt", "object.npy")}
    return {"pickle": plain, "behind a safetensors": polyglot, **files}


@pytest.mark.parametrize("kind", ["pickle", "behind a safetensors", "torch.pt", "old.pt", "object.npy"])
def test_a_pickle_in_disguise_is_never_run(whole: Path, tmp_path: Path, kind: str) -> None:
    canary = tmp_path / "run"
    data = disguises(canary, tmp_path)[kind]
    with pytest.raises(ConfigError):
        Classifier.load(forged(whole, tmp_path / "forged", data))
    (tmp_path / "forged" / "config.json").write_bytes(data)
    with pytest.raises(ConfigError):
        Classifier.load(tmp_path / "forged")
    (tmp_path / "own.pth").write_bytes(data)
    config = plan_network("fast", "basic5", InputSpec(size=32))
    with pytest.raises(FacemotionError):
        network_from_file(tmp_path / "own.pth", config)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.pt").write_bytes(data)
    with pytest.raises(TrainingError, match="is damaged"):
        load_checkpoint(tmp_path)
    data_set = tmp_path / "data"
    data_set.mkdir()
    for name in ("X_train.npy", "y_train.npy"):
        (data_set / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "faces.npz", "w") as pack:
        pack.writestr("facemotion.json", '{"version": 1, "labels": ["a", "b"], "label_rule": null}')
        for name in ("images", "targets", "splits", "origins"):
            pack.writestr(f"{name}.npy", data)
    for source in (data_set, tmp_path / "faces.npz"):
        with pytest.raises(FacemotionError):
            read_data(source)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "run")))
    assert (tmp_path / "run").is_dir()


# more than there is memory for


def test_tensors_far_larger_than_memory_are_refused_unread(whole: Path, tmp_path: Path) -> None:
    folder = forged(whole, tmp_path / "forged")
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1 << 42)  # four terabytes, of which the disk holds nothing
    with pytest.raises(ChecksumError, match="expected at most 4294967296 bytes, got 4398046511104"):
        Classifier.load(folder)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="files without end are a Unix thing")
@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_files_without_end_are_refused(whole: Path, tmp_path: Path, target: str) -> None:
    folder = forged(whole, tmp_path / "forged")
    os.mkfifo(tmp_path / "pipe")
    for name in ("model.safetensors", "config.json"):
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / target)
        with pytest.raises(WeightsError, match=r"no regular file|expected config\.json"):
            Classifier.load(folder)


def test_a_network_that_would_need_terabytes_is_never_built(whole: Path, tmp_path: Path) -> None:
    for changes in (
        {"head": {"hidden": [65536] * 8, "dropout": 0.0}},
        {"backbone": "torchvision:vit_b_16", "backbone_args": {"hidden_dim": 12 * 10**6, "mlp_dim": 10**7}},
        {"backbone": "torchvision:swin_t", "backbone_args": {"embed_dim": 96 * 10**5}},
        {"backbone": "torchvision:densenet121", "backbone_args": {"growth_rate": 10**6}},
        {"packing": {"ranks": {"head.1": 65536}}},
    ):
        with pytest.raises(FacemotionError):
            Classifier.load(forged(whole, tmp_path / "forged", **changes))
