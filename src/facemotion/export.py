"""A network as an ONNX file: crops in, probabilities out, the preprocessing inside and described in the metadata."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from facemotion.backbones.network import EmotionNet, normalise
from facemotion.errors import MissingExtraError, WeightsError
from facemotion.file_names import at_home
from facemotion.onnx_runtime import load_onnxruntime
from facemotion.whole_files import growing

if TYPE_CHECKING:
    from pathlib import Path

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels
    from facemotion.weights.spec import WeightsConfig

logger = logging.getLogger(__name__)

# how far a probability may be from torch's; beyond it no file is written
TOLERANCE = 1e-3
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class _CropsToProbabilities(nn.Module):
    def __init__(self, net: EmotionNet, spec: InputSpec) -> None:
        super().__init__()
        self.net, self.spec = net, spec

    def forward(self, crops: Tensor) -> Tensor:
        return self.net.probabilities(normalise(crops, self.spec))


def export_onnx(net: EmotionNet, config: WeightsConfig, path: str | os.PathLike[str]) -> float:
    """Write `path` (.onnx) and compare it with torch; gives the largest difference of a probability, at most 1e-3.

    Its input `crops` is uint8 (batch, size, size, channels), as `facemotion.crops.cut` gives them; its output
    `probabilities` is float32 (batch, labels). The metadata has `labels`, `input` and `preprocessing` as JSON.
    """
    target = at_home(path)
    if target.suffix.lower() != ".onnx":
        raise WeightsError(f"{target}: expected a name that ends in .onnx")
    _need_onnx()
    spec = config.input
    whole = _CropsToProbabilities(copy.deepcopy(net).to("cpu", torch.float32), spec).eval()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with growing(target) as part:
            _write(whole, config, part)
            difference = max(_difference(whole, part, _crops(spec, count)) for count in (1, 5))
            if not difference <= TOLERANCE:  # a NaN is refused too
                raise WeightsError(f"{target}: not written: its probabilities differ from torch's by {difference:.2g}")
    except torch.onnx.OnnxExporterError as error:
        # the error itself begins with a banner; what it is about stands in its cause
        said = _COLOURS.sub("", str(error.__cause__ or error)).strip().partition("\n")[0]
        raise WeightsError(
            f"{target}: not written: torch can't export a network of {config.backbone!r}: {said}"
        ) from error
    except OSError as error:
        raise WeightsError(f"{target}: can't be written: {error.strerror or error}") from error
    logger.info("%s: largest difference of a probability from torch %.2g", target, difference)
    return difference


def _write(whole: nn.Module, config: WeightsConfig, path: Path) -> None:
    import onnx

    spec = config.input
    program = torch.onnx.export(
        whole,
        (torch.from_numpy(_crops(spec, 2)),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["crops"],
        output_names=["probabilities"],
        verbose=False,
    )
    assert program is not None  # torch gives one back whenever dynamo is asked for
    model = program.model_proto
    described: dict[str, Any] = {
        "labels": list(config.labels),
        "input": spec.to_dict(),
        "preprocessing": "inside the graph: (pixel / 255 - mean) / std; crops are uint8, RGB or grey, channels last",
        "backbone": config.backbone,
        "licence": config.licence,
        "facemotion_version": config.facemotion_version,
    }
    for key, value in described.items():
        model.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _difference(whole: nn.Module, path: Path, crops: Pixels) -> float:
    session = load_onnxruntime().InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (got,) = session.run(["probabilities"], {"crops": crops})
    with torch.inference_mode():
        wanted = whole(torch.from_numpy(crops)).numpy()
    return float(np.abs(got - wanted).max())


def _crops(spec: InputSpec, count: int) -> Pixels:
    """Random crops: their size and type are what the network sees in use."""
    shape = (count, spec.size, spec.size, spec.channels)
    return np.random.default_rng(count).integers(0, 256, shape, np.uint8)


def _need_onnx() -> None:
    try:
        load_onnxruntime()
        for package in ("onnx", "onnxscript"):
            import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"exporting needs a package that is not installed ({error}): pip install 'facemotion[onnx]'"
        ) from error
