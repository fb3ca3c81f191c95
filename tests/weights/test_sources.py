"""Emotion weights of the hub: somebody's repository, and names of the catalogue."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from hub_server import Hub

from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier, save_network
from facemotion.errors import ChecksumError, ConfigError, DownloadError, UnknownNameError, WeightsError
from facemotion.inputs import InputSpec
from facemotion.weights import sources
from facemotion.weights.catalogue import Catalogue, Entry, Pin
from facemotion.weights.listing import list_weights
from facemotion.weights.sources import resolve

REPO = "somebody/faces"


def folder_of(path: Path, seed: int = 0) -> dict[str, bytes]:
    torch.manual_seed(seed)
    config = plan_network("fast", "basic5", InputSpec(size=32))
    save_network(build_network(config), dataclasses.replace(config, licence="MIT"), path)
    return {each.name: each.read_bytes() for each in path.iterdir()}


def test_a_repository_is_fetched_verified_and_found_again_offline(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = folder_of(tmp_path / "made")
    commit = hub.add(REPO, files)
    found = resolve(REPO)
    assert found.folder.name == commit
    assert (found.folder / "model.safetensors").read_bytes() == files["model.safetensors"]
    assert len(Classifier.load(REPO).labels) == 5
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.requests)
    assert resolve(REPO).folder == resolve(REPO, local_files_only=True).folder == found.folder
    assert resolve(f"{REPO}@{commit}").folder == found.folder
    assert len(hub.requests) == asked


def test_a_card_edited_on_the_hub_is_no_damage(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, folder_of(tmp_path / "made") | {"README.md": b"my own words"})
    assert len(Classifier.load(REPO).labels) == 5


def test_a_revision_is_that_one(hub: Hub, tmp_path: Path) -> None:
    first = hub.add(REPO, folder_of(tmp_path / "one", 1))
    second = hub.add(REPO, folder_of(tmp_path / "two", 2))
    assert resolve(f"{REPO}@{first}").folder.name == first
    assert resolve(REPO, revision=first).folder.name == first
    assert resolve(REPO).folder.name == second
    with pytest.raises(DownloadError, match="no such revision"):
        resolve(f"{REPO}@v9")


def test_tampered_tensors_of_a_repository(hub: Hub, tmp_path: Path) -> None:
    files = folder_of(tmp_path / "made")
    data = bytearray(files["model.safetensors"])
    data[-1] ^= 1
    hub.add(REPO, files | {"model.safetensors": bytes(data)})
    with pytest.raises(ChecksumError, match="expected sha256"):
        Classifier.load(REPO)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_was_damaged_in_the_cache_is_fetched_anew_once_it_is_moved_away(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    files = folder_of(tmp_path / "made")
    commit = hub.add(REPO, files)
    path = resolve(REPO).folder / name
    damaged = files[name].replace(b"f", b"g")
    path.resolve().write_bytes(damaged)
    with pytest.raises(WeightsError) if name == "config.json" else pytest.raises(ChecksumError, match="Move it away"):
        Classifier.load(f"{REPO}@{commit}")
    path.rename(tmp_path / "moved")
    assert (resolve(f"{REPO}@{commit}").folder / name).read_bytes() == files[name]
    refused = [each.read_bytes() for each in path.parents[2].glob("blobs/*.refused")]
    assert refused == [damaged], "nothing is deleted"


def test_a_damaged_config_is_fetched_anew_where_the_hub_is_asked_anyway(hub: Hub, tmp_path: Path) -> None:
    files = folder_of(tmp_path / "made")
    hub.add(REPO, files)
    path = resolve(REPO).folder / "config.json"
    path.write_bytes(files["config.json"].replace(b"happy", b"hbppy"))
    assert "happy" in Classifier.load(REPO).labels
    assert path.read_bytes() == files["config.json"]


@pytest.mark.parametrize("name", ["../../../evil.safetensors", "a/b.safetensors", "pytorch_model.bin", "run.py"])
def test_a_repository_that_names_other_files_is_refused(hub: Hub, tmp_path: Path, name: str) -> None:
    files = folder_of(tmp_path / "made")
    config = json.loads(files["config.json"])
    config["files"][name] = "0" * 64
    hub.add(REPO, files | {"config.json": json.dumps(config).encode(), name: b"evil"})
    with pytest.raises(ConfigError, match="files"):
        Classifier.load(REPO)
    assert not [path for path, _ in hub.bodies() if "evil" in path or path.endswith((".bin", ".py"))]


def test_a_repository_of_pickles_is_not_loaded(hub: Hub) -> None:
    hub.add(REPO, {"pytorch_model.bin": b"\x80\x04"})
    with pytest.raises(DownloadError, match=r"(?s)no such file.*pickles can run code.*weights convert"):
        resolve(REPO)
    hub.add(REPO, {"config.json": b'{"architectures": ["ViT"]}', "pytorch_model.bin": b"\x80\x04"})
    with pytest.raises(ConfigError, match="not the config of facemotion weights"):
        resolve(REPO)


def test_a_repository_that_is_not_there(hub: Hub) -> None:
    hub.add(REPO, {})
    with pytest.raises(DownloadError, match=r"(?s)no such repository.*There is no folder nobody/nothing here either"):
        resolve("nobody/nothing")
    with pytest.raises(DownloadError, match="not in the cache"):
        resolve("nobody/nothing", local_files_only=True)


def test_a_file_of_a_repository_that_left_the_cache(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, folder_of(tmp_path / "made"))
    path = resolve(REPO).folder / "model.safetensors"
    path.unlink()
    with pytest.raises(DownloadError, match=r"model\.safetensors is not in the cache"):
        resolve(REPO, local_files_only=True)
    resolve(REPO)
    assert path.is_file()


@pytest.fixture
def stand_in(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """A catalogue whose emotion weights lie on the hub of the tests."""
    files = folder_of(tmp_path / "made")
    pins = {name: Pin(hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()}
    entry = Entry(
        "mine-5class",
        "emotion",
        "MIT",
        pins,
        repo=REPO,
        revision=hub.add(REPO, files),
        labels=("angry", "happy", "neutral", "sad", "surprise"),
        metrics={"accuracy": 0.71},
    )
    made = Catalogue({entry.name: entry})
    monkeypatch.setattr(sources, "catalogue", lambda: made)
    return made


def test_a_name_of_the_catalogue(hub: Hub, stand_in: Catalogue) -> None:
    assert [info.place for info in list_weights(of=stand_in)] == ["hub"]
    found = resolve("mine-5class")
    assert Classifier.load("mine-5class").config.licence == "MIT"
    [info] = list_weights("emotion", of=stand_in)
    assert (info.place, info.path, info.size) == ("cache", found.folder, stand_in.entries["mine-5class"].size)
    assert list_weights("detector", of=stand_in) == []
    with pytest.raises(UnknownNameError, match="did you mean 'detector'"):
        list_weights("detectors", of=stand_in)


def test_what_is_done_to_a_list_of_weights_reaches_no_other_list() -> None:
    listed = list_weights("emotion")
    told = dict(listed[0].metrics)
    listed[0].metrics["accuracy"] *= 100
    assert list_weights("emotion")[0].metrics == told


def test_the_catalogue_is_believed_and_not_the_folder(hub: Hub, stand_in: Catalogue, tmp_path: Path) -> None:
    """A forged folder that is true to itself is found out, since the catalogue knows better."""
    folder = resolve("mine-5class").folder
    forged = folder_of(tmp_path / "forged", seed=9)
    for name, data in forged.items():
        (folder / name).write_bytes(data)
    Classifier.load(tmp_path / "forged")
    with pytest.raises(ChecksumError):
        Classifier.load("mine-5class")


def test_names_that_nothing_answers_to(stand_in: Catalogue) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mine-5class'"):
        resolve("mine-4class")
    with pytest.raises(WeightsError, match="revision is for owner/repo"):
        resolve("mine-5class", revision="main")
    for name in (
        "./mine",
        "/nowhere/at/all",
        "a/b/c",
        "~/nothing-here",
        "~nobody-here/mine",
        "",
        "../no-such-folder/x",
    ):
        with pytest.raises(WeightsError, match="no such folder"):
            resolve(name)


@pytest.mark.parametrize("name", ["a/b/c", "my weights/x", "-a/b", "a/b@", "https://huggingface.co/a/b", "a/b..c"])
def test_a_name_that_is_no_folder_s_here_and_can_be_none_of_the_hub(hub: Hub, name: str) -> None:
    with pytest.raises(WeightsError, match=r"no such folder: .* nor can the hub have it: its names are owner/repo"):
        resolve(name)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["a--b/c", "a/b.git", "a/b-", "b\u00e4r/b"])
def test_a_name_that_the_hub_forbids_is_no_trouble_of_the_network(hub: Hub, name: str) -> None:
    with pytest.raises(DownloadError, match="no repository of the hub can be called so") as caught:
        resolve(name)
    assert "try again" not in str(caught.value)
    assert hub.requests == []


def test_a_folder_wins_over_a_repository(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "somebody" / "faces")
    monkeypatch.chdir(tmp_path)
    assert resolve(REPO).folder == Path(REPO)
    assert hub.requests == []


def test_a_bare_name_is_the_catalogue_s_wherever_one_works(
    hub: Hub, stand_in: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder_of(tmp_path / "here" / "mine-5class", seed=9)
    monkeypatch.chdir(tmp_path / "here")
    assert resolve("mine-5class").pins == stand_in.entries["mine-5class"].files
    assert caplog.messages == [
        "mine-5class is taken for the weights of that name; for the folder here say ./mine-5class"
    ]
    for folder in ("./mine-5class", Path("mine-5class")):
        assert resolve(folder).pins is None
        assert resolve(folder).folder == Path("mine-5class")
