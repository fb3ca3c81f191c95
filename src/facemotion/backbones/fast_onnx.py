"""`fast` as an ONNX file, made of its tensors without torch: that starts sooner, and one face takes half the time.

It is the network of `fast.py` with its batch normalisation folded; a test holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from facemotion.backbones.onnx_file import OnnxFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.weights.spec import WeightsConfig

PIXELS = "pixels"
# what nn.BatchNorm2d adds to a variance
_EPSILON = 1e-5
# counts batches during training; it changes no result
_COUNTER = "num_batches_tracked"


def is_plain_fast(config: WeightsConfig) -> bool:
    """Whether a config tells of a `fast` as this file knows it."""
    plain = not config.head.hidden and not config.packing.ranks and set(config.backbone_args) <= {"dropout"}
    return config.backbone == "fast" and plain


def fast_onnx(config: WeightsConfig, tensors: Mapping[str, NDArray[np.generic]]) -> tuple[bytes, str] | None:
    """The file and the name of its output, the logits; its input is `PIXELS`, normalised, (n, channels, size, size).

    None where the tensors are not those of the config: torch's own network then says what is wrong.
    """
    network = _Network(tensors)
    try:
        logits = network.build(config.input.size)
    except (KeyError, ValueError, IndexError):  # a name that is missing, sides that do not fit, sides that are missing
        return None
    channels, labels = network.ends
    fits = channels == config.input.channels and labels == len(config.labels)
    if not fits or not network.all_used or not all(np.isfinite(each).all() for each in tensors.values()):
        return None
    return network.file.to_bytes(PIXELS, (channels, config.input.size, config.input.size), logits, labels), logits


class _Network:
    """The layers, one after the other; a KeyError or ValueError where a tensor is missing or does not fit."""

    def __init__(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self.file = OnnxFile()
        self._tensors, self._used = tensors, set[str]()
        self.ends = 0, 0

    @property
    def all_used(self) -> bool:
        return all(name in self._used or name.endswith(_COUNTER) for name in self._tensors)

    def build(self, side: int) -> str:
        """Every layer for crops of that side; gives the name of the logits."""
        channels = self._take("backbone.stem.0.weight").shape[1]
        value, width = self._convolution(PIXELS, "backbone.stem.0", "backbone.stem.1", channels, 3, 1)
        value = self.file.add("Relu", [value])
        block = 0
        while (name := f"backbone.blocks.{block}") + ".main.0.weight" in self._tensors:
            value, width = self._block(value, name, width, side)
            side = -(-side // 2)
            block += 1
        value = self.file.add("Flatten", [self.file.add("GlobalAveragePool", [value])], axis=1)
        weight, bias = self._take("head.1.weight"), self._take("head.1.bias")
        if weight.shape[1:] != (width,) or bias.shape != weight.shape[:1]:
            raise ValueError("head")
        self.ends = channels, len(bias)
        tensors = self.file.tensor("head.weight", weight), self.file.tensor("head.bias", bias)
        return self.file.add("Gemm", [value, *tensors], transB=1)

    def _block(self, value: str, name: str, inputs: int, side: int) -> tuple[str, int]:
        main, outputs = self._convolution(value, f"{name}.main.0", f"{name}.main.1", inputs, 3, 2)
        main = self.file.add("Relu", [main])
        main, _ = self._convolution(main, f"{name}.main.3", f"{name}.main.4", outputs, 3, 1)
        # torch's ceil_mode: the last row and column of an odd map are averaged alone
        border = (0, 0, side % 2, side % 2)
        short = self.file.add("AveragePool", [value], kernel_shape=(2, 2), strides=(2, 2), pads=border)
        short, _ = self._convolution(short, f"{name}.shortcut.1", f"{name}.shortcut.2", inputs, 1, 1)
        return self.file.add("Relu", [self.file.add("Add", [main, short])]), outputs

    def _convolution(self, value: str, name: str, norm: str, inputs: int, kernel: int, stride: int) -> tuple[str, int]:
        """A convolution with the batch normalisation that follows it folded in; gives its output and their number."""
        weight = self._take(f"{name}.weight")
        gain, shift, mean, variance = (
            self._take(f"{norm}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        )
        if weight.shape[1:] != (inputs, kernel, kernel) or any(
            each.shape != weight.shape[:1] for each in (gain, shift, mean, variance)
        ):
            raise ValueError(name)
        factor = gain / np.sqrt(variance.astype(np.float64) + _EPSILON)
        folded = self.file.tensor(f"{name}.weight", weight * factor[:, None, None, None].astype(np.float32))
        bias = self.file.tensor(f"{name}.bias", shift - mean * factor)
        edge = kernel // 2
        output = self.file.add(
            "Conv", [value, folded, bias], kernel_shape=(kernel, kernel), strides=(stride, stride), pads=(edge,) * 4
        )
        return output, len(weight)

    def _take(self, name: str) -> NDArray[np.float32]:
        self._used.add(name)
        if not self._tensors[name].size:
            raise ValueError(name)
        return self._tensors[name].astype(np.float32, copy=False)
