"""`fast` without torch: the same numbers from either engine, for any size, and a fall-back wherever it is not plain."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import COLOUR, crops_for, network

from facemotion import EmotionRecognizer, engines
from facemotion.backbones import quick_runner
from facemotion.backbones.fast_onnx import PIXELS, fast_onnx, is_plain_fast
from facemotion.backbones.network import EmotionNet
from facemotion.backbones.quick_runner import QuickRunner
from facemotion.backbones.torch_runner import TorchRunner
from facemotion.classifier import Classifier, save_network
from facemotion.crops import cut
from facemotion.errors import ConfigError
from facemotion.images import read_image
from facemotion.inputs import InputSpec
from facemotion.weights.catalogue import catalogue
from facemotion.weights.spec import Head, Packing, WeightsConfig

# two engines that add up in different orders; torch's own kernels differ by as much
CLOSE = 1e-5


def arrays_of(net: EmotionNet) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def by_torch(net: EmotionNet, config: WeightsConfig, crops: np.ndarray) -> np.ndarray:
    return TorchRunner(net, config.input, torch.device("cpu"), torch.float32)(crops)


@pytest.fixture(params=["onnxruntime", "OpenCV"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which engine there is."""
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    else:
        monkeypatch.setattr(quick_runner, "onnxruntime_engine", lambda *_: None)
    return str(request.param)


# sides that halve to odd and even ones, down to the least that `fast` takes
@pytest.mark.parametrize("size", [16, 17, 23, 31, 44, 48, 75])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_it_gives_what_torch_gives(engine: str, size: int, colour: str) -> None:
    spec = dataclasses.replace(COLOUR if colour == "rgb" else InputSpec(mean=(0.4,), std=(0.3,)), size=size)
    net, config = network("fast", spec)
    net.temperature = 0.7
    runner = QuickRunner.of(config, arrays_of(net), 0.7)
    assert runner is not None
    for count in (1, 3, 9):
        crops = crops_for(config, count)
        got = runner(crops)
        assert got.dtype == np.float32 and got.shape == (count, 5)
        np.testing.assert_allclose(got, by_torch(net, config, crops), atol=CLOSE)
        np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["fast-8class", "fast-7class"])
def test_the_shipped_networks_on_a_face(engine: str, name: str, astronaut_path: Path) -> None:
    recognizer = EmotionRecognizer.from_pretrained(name, device="cpu")
    classifier, image = recognizer.classifier, read_image(astronaut_path)
    [face] = recognizer.detector.detect(image)
    # the face, and as it is seen a little off
    boxes = [dataclasses.replace(face, box=face.box.square(margin)) for margin in np.linspace(-0.2, 0.4, 24)]
    crops = cut(image, boxes, classifier.config.input)
    wanted = by_torch(classifier.net, classifier.config, crops)
    np.testing.assert_allclose(classifier.probabilities(crops), wanted, atol=CLOSE)
    alone = np.concatenate([classifier.probabilities(crop[None]) for crop in crops])
    np.testing.assert_allclose(alone, wanted, atol=CLOSE)
    assert (alone.argmax(axis=1) == wanted.argmax(axis=1)).all()


def test_many_faces_on_several_threads_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    net, config = network("fast")
    runner = QuickRunner.of(config, arrays_of(net), 1.0)
    assert runner is not None
    crops = crops_for(config, 23)
    rows = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(quick_runner, "cpu_threads", lambda threads=threads: threads)
        rows.append(runner(crops))
    np.testing.assert_allclose(rows[1], rows[0], atol=1e-6)
    np.testing.assert_allclose(rows[2], rows[0], atol=1e-6)
    np.testing.assert_array_equal(runner(crops), rows[2])


def test_without_onnxruntime_many_faces_are_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_runner, "onnxruntime_engine", lambda *_: None)
    net, config = network("fast")
    classifier = Classifier(net, config, device="cpu")
    crops = crops_for(config, 12)
    wanted = by_torch(net, config, crops)
    with torch.no_grad():
        net.head[-1].bias.add_(torch.arange(5.0))  # what its owner does afterwards changes nothing
    np.testing.assert_allclose(classifier.probabilities(crops), wanted, atol=CLOSE)
    np.testing.assert_allclose(classifier.probabilities(crops[:3]), wanted[:3], atol=CLOSE)
    assert classifier.probabilities(crops).tobytes() == wanted.tobytes()


def test_the_file_is_onnx() -> None:
    onnx = pytest.importorskip("onnx")
    net, config = network("fast", dataclasses.replace(COLOUR, size=44))
    made = fast_onnx(config, arrays_of(net))
    assert made is not None
    data, logits = made
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert [each.name for each in model.graph.input] == [PIXELS]
    assert [side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim] == [0, 3, 44, 44]
    assert [each.name for each in model.graph.output] == [logits]
    kept = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    np.testing.assert_array_equal(kept["head.weight"], net.head[-1].weight.detach().numpy())


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "cnn"},
        {"backbone_args": {"width": 8}},
        {"head": Head(hidden=(16,))},
        {"packing": Packing(ranks={"head.1": 2})},
    ],
)
def test_what_is_not_plain_is_left_to_torch(changes: dict[str, object]) -> None:
    _, config = network("fast")
    assert is_plain_fast(config)
    assert not is_plain_fast(dataclasses.replace(config, **changes))


def test_tensors_that_do_not_fit_are_left_to_torch_which_names_them(tmp_path: Path) -> None:
    net, config = network("fast")
    good = arrays_of(net)
    weight, bias = good["backbone.blocks.1.main.0.weight"], good["head.1.bias"]
    wrong: list[dict[str, np.ndarray]] = [
        {name: array for name, array in good.items() if name != "backbone.blocks.1.main.1.running_var"},
        good | {"backbone.blocks.1.main.0.weight": weight[:, :-1]},
        good | {"backbone.stem.1.bias": np.zeros(3, np.float32)},
        good | {"head.1.bias": bias[:-1]},
        good | {"head.1.bias": np.where(bias == bias, np.nan, bias)},
        good | {"head.1.weight": good["head.1.weight"][:, :-1]},
        good | {"nose": bias},
        good | {"backbone.stem.0.weight": np.zeros(12, np.float32)},
        good | {"backbone.stem.1.bias": np.zeros(0, np.float32)},
    ]
    assert fast_onnx(config, good) is not None
    assert [fast_onnx(config, arrays) for arrays in wrong] == [None] * len(wrong)
    assert fast_onnx(dataclasses.replace(config, labels=("a", "b")), good) is None
    with torch.no_grad():
        net.head[-1].bias[0] = float("inf")
    save_network(net, config, tmp_path)
    with pytest.raises(ConfigError, match=r"not finite: head\.1\.bias"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("module", ["onnxruntime", "nothing"])
def test_a_picture_is_recognised_without_torch(module: str, astronaut_path: Path) -> None:
    """With onnxruntime and without it; neither scipy nor the hub is needed either."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from facemotion import EmotionRecognizer\n"
        f"[face] = EmotionRecognizer.from_pretrained(device='cpu').predict({str(astronaut_path)!r})\n"
        "heavy = [name for name in ('torch', 'scipy', 'sklearn', 'huggingface_hub') if name in sys.modules]\n"
        "print(face.label, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "happy []"


def test_every_shipped_emotion_network_of_ours_is_quick() -> None:
    names = [name for name in catalogue().names("emotion") if name.startswith("fast-")]
    assert names
    for name in names:
        classifier = Classifier.load(name, device="cpu")
        assert classifier._quick is not None, name


def test_engines_find_the_outputs_by_name() -> None:
    net, config = network("fast")
    made = fast_onnx(config, arrays_of(net))
    assert made is not None
    engine = engines.opencv_engine(made[0], PIXELS, [made[1]])
    [one] = engine(np.zeros((1, 1, 32, 32), np.float32))
    [other] = engine(np.ones((1, 1, 32, 32), np.float32))
    # what was given out is not written over by what comes next
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(one, engine(np.zeros((1, 1, 32, 32), np.float32))[0])
