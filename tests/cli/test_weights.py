"""`facemotion weights` and `facemotion export`, as a shell sees them."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import onnxruntime
import pytest
import torch
import torchvision
from hub_server import Hub

from facemotion.backbones.network import build_network, plan_network
from facemotion.classifier import Classifier, save_network
from facemotion.cli.main import _run
from facemotion.cli.weights import _row
from facemotion.inputs import InputSpec
from facemotion.weights.catalogue import catalogue
from facemotion.weights.folder import read_config, write_folder
from facemotion.weights.listing import WeightsInfo

YUNET = Path("face_detection_yunet_2023mar.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = plan_network("fast", "basic5", InputSpec(size=32))
    save_network(build_network(config), config, tmp_path / "mine")
    return tmp_path / "mine"


def test_list_shows_where_each_lies(nothing_cached: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "list"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "LABELS", "SIZE", "MS", "A", "FACE", "ACCURACY", "LICENCE", "LIES", "IN"]
    [yunet] = [row for row in rows if row.startswith("yunet ")]
    assert "0.2 MB" in yunet and "MIT" in yunet and yunet.endswith("the hub: opencv/face_detection_yunet")


def test_list_knows_the_cache(yunet_in_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "list"]) == 0
    assert "the cache" in capsys.readouterr().out


def test_a_line_of_emotion_weights_tells_their_accuracy_with_its_split() -> None:
    info = WeightsInfo(
        name="mine-5class",
        kind="emotion",
        labels=("angry", "happy", "neutral", "sad", "surprise"),
        backbone="fast",
        size=1_260_000,
        speed_ms=1.15,
        metrics={"accuracy": 0.7345, "data": "FER-2013", "split": "PrivateTest"},
        licence="MIT",
        description="",
        place="package",
        path=Path("files"),
        repo=None,
    )
    row = ("mine-5class", "5: basic5", "1.3 MB", "1.1", "73.5% FER-2013 PrivateTest", "MIT", "the package")
    assert _row(info) == row
    assert _row(dataclasses.replace(info, labels=("yes", "no"), metrics={}, speed_ms=None))[1:5] == (
        "2: yes no",
        "1.3 MB",
        "-",
        "-",
    )


def test_listing_and_fetching_detectors_need_no_torch() -> None:
    script = (
        "import sys\nfrom facemotion.cli.main import _run\n_run(['weights', 'list'])\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_show(folder: Path, tmp_path: Path, nothing_cached: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "show", "yunet"]) == 0
    assert "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4" in capsys.readouterr().out
    assert _run(["weights", "show", str(folder)]) == 0
    assert "Labels: angry, happy, neutral, sad, surprise" in capsys.readouterr().out
    config = read_config(folder)
    described = dataclasses.replace(config, description="See\n## Use\nthem")
    write_folder(tmp_path / "described", described, (folder / "model.safetensors").read_bytes())
    assert _run(["weights", "show", str(tmp_path / "described")]) == 0
    assert "Labels: angry, happy, neutral, sad, surprise" in capsys.readouterr().out
    assert _run(["weights", "show", "yunett"]) == 1
    assert "facemotion: no set of weights is named" in capsys.readouterr().err


def test_verify(folder: Path, nothing_cached: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "verify"]) == 0
    assert "mini: as promised" in capsys.readouterr().out
    assert _run(["weights", "verify", str(folder)]) == 0
    assert "as promised" in capsys.readouterr().out
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert _run(["weights", "verify", str(folder), "yunet"]) == 1
    errors = capsys.readouterr().err
    assert "expected sha256" in errors and "yunet was not found" in errors


def test_fetch_what_travels_in_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "fetch", "mini", "--to", str(tmp_path / "stick")]) == 0
    output, errors = capsys.readouterr()
    assert Path(output.strip()).name == "mini.onnx"
    assert "the other machine has it already" in errors
    assert not (tmp_path / "stick").exists()


def test_fetch_to_where_nothing_can_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "fetch", str(folder), "--to", str(folder / "config.json" / "x")]) == 1
    assert "can't be written: Not a directory" in capsys.readouterr().err


def test_fetch_never_overwrites_other_weights_or_words(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, stick, project = tmp_path / "own", tmp_path / "stick", tmp_path / "project"
    shutil.copytree(folder, own)
    project.mkdir()
    (project / "README.md").write_text("# My project")
    for place, said in ((own, "holds weights already"), (project, "is no card of weights")):
        before = {path.name: path.read_bytes() for path in place.iterdir()}
        assert _run(["weights", "fetch", "fast-7class", "--to", str(place)]) == 1
        assert said in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert _run(["weights", "fetch", "fast-7class", "--to", str(stick)]) == 0
    (stick / "model.safetensors").write_bytes(b"damaged")
    assert _run(["weights", "fetch", "fast-7class", "--to", str(stick)]) == 0
    assert Classifier.load(stick).labels == Classifier.load("fast-7class").labels


def test_fetch_a_repository_for_a_machine_without_a_network(
    folder: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add("somebody/faces", {path.name: path.read_bytes() for path in folder.iterdir()})
    assert _run(["weights", "fetch", "somebody/faces", "--to", str(tmp_path / "stick")]) == 0
    output, errors = capsys.readouterr()
    assert output.strip() == str(tmp_path / "stick")
    assert "the folder is the name" in errors
    assert "fetching somebody/faces" in errors
    shutil.rmtree(huggingface_hub.constants.HF_HUB_CACHE)
    assert Classifier.load(tmp_path / "stick").config == Classifier.load(folder).config
    assert _run(["weights", "fetch", "somebody/faces"]) == 0
    assert Path(capsys.readouterr().out.strip(), "config.json").is_file()


def test_fetch_a_detector_for_a_machine_without_a_network(
    assets: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from facemotion.weights.store import locate

    content = (assets / "models" / YUNET).read_bytes()
    commit = str(catalogue().find("yunet").revision)
    hub.files["opencv/face_detection_yunet", commit] = {YUNET.name: content}
    assert _run(["weights", "fetch", "yunet", "--to", str(tmp_path / "stick")]) == 0
    assert f"HF_HUB_CACHE=/path/to/{'stick'}" in capsys.readouterr().err
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "stick"))
    assert locate("yunet", local_files_only=True).read_bytes() == content


def test_fetch_without_a_network_says_what_to_do(nothing_cached: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["weights", "fetch", "yunet"]) == 1
    assert "facemotion weights fetch yunet --to DIR" in capsys.readouterr().err


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = torchvision.models.resnet18(num_classes=3).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    words = [
        "weights",
        "convert",
        str(tmp_path / "theirs.pth"),
        "--backbone",
        "resnet18",
        "--labels",
        "sad, happy,angry",
    ]
    assert _run([*words, "--input", "size=48", "--input", "colour=rgb", "--licence", "MIT"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "theirs")
    loaded = Classifier.load(tmp_path / "theirs")
    assert list(loaded.labels) == ["sad", "happy", "angry"]
    assert (loaded.config.licence, loaded.config.input.colour, loaded.config.input.size) == ("MIT", "rgb", 48)
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    with torch.no_grad():
        wanted = theirs(torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1).softmax(1)
    np.testing.assert_allclose(loaded.probabilities(crops), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--labels", "fer7", "--backbone", "nonesuch"], 1, "no backbone is named"),
        (["--labels", "fer9", "--backbone", "fast"], 1, "no label set is named"),
        (["--labels", "fer7", "--backbone", "fast", "--input", "wings=2"], 2, "wings"),
        (["--labels", "fer7", "--backbone", "fast", "--hidden", "a,b"], 2, "--hidden"),
        (["--labels", "fer7", "--backbone", "fast"], 1, "no such file"),
        (["--labels", "fer7"], 2, "--backbone"),
    ],
)
def test_convert_says_what_is_wrong(
    options: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["weights", "convert", str(tmp_path / "none.pth"), *options]) == code
    assert said in capsys.readouterr().err


def test_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config = plan_network("cnn", "fer7", InputSpec(size=48))
    save_network(build_network(config), config, tmp_path / "whole")
    assert _run(["weights", "pack", str(tmp_path / "whole"), str(tmp_path / "small"), "--rank", "32"]) == 0
    output = capsys.readouterr().out
    assert "backbone.dense.1 through 32" in output and "judged on 64 crops of noise" in output
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "small")]
    assert sizes[1] < sizes[0] / 10
    assert Classifier.load(tmp_path / "small").config.packing.ranks == {"backbone.dense.1": 32}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.safetensors").write_bytes(b"precious")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for taken in (str(tmp_path / "whole"), str(tmp_path / "other"), "~/other"):
        assert _run(["weights", "pack", str(tmp_path / "whole"), taken]) == 1
        assert "holds weights already" in capsys.readouterr().err
    assert (tmp_path / "other" / "model.safetensors").read_bytes() == b"precious"


def test_export(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["export", str(folder), str(tmp_path / "net.onnx")]) == 0
    assert "largest difference of a probability from torch" in capsys.readouterr().out
    assert onnxruntime.InferenceSession(tmp_path / "net.onnx").get_inputs()[0].shape[1:] == [32, 32, 1]
    assert _run(["export", str(folder), str(tmp_path / "net.pt")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err


def test_a_stranger_s_words_command_no_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classifier = Classifier.load(folder)
    classifier.config = dataclasses.replace(classifier.config, description="\x1b[2J", licence="MIT\x1b]0;title\x07")
    classifier.save(folder)
    assert _run(["weights", "show", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x07" not in shown
    assert "- Licence: MIT\\x1b]0;title" in shown
