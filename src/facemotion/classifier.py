"""Crops in, probabilities out: a network with what it says of itself, made quick for the machine it runs on.

torch is imported where it is needed: to train, save and export, and to run what no smaller engine here can.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import threading
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from facemotion.backbones.fast_onnx import is_plain_fast
from facemotion.backbones.quick_runner import QuickRunner
from facemotion.devices import is_processor, resolve_device
from facemotion.errors import ConfigError, ImageError, WeightsError
from facemotion.file_names import at_home
from facemotion.labels import LabelSet
from facemotion.weights.folder import read_folder, write_folder
from facemotion.weights.sources import resolve
from facemotion.weights.spec import MODEL, Packing, WeightsConfig
from facemotion.weights.tensors import decode_arrays

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from facemotion.backbones.network import EmotionNet
    from facemotion.backbones.torch_runner import TorchRunner
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

_NO_NUMBERS = "the network gives no numbers (NaN): its weights are damaged, or its training went astray"

Precision = Literal["float32", "float16", "bfloat16"]


class StoredNetwork:
    """The tensors of a weights folder, of which a network is made where torch is needed."""

    def __init__(self, config: WeightsConfig, data: bytes, place: str) -> None:
        self._config, self._place = config, place
        self.arrays = decode_arrays(data, place)

    def make(self) -> EmotionNet:
        """The network, over the memory of the arrays; a ConfigError where they are not what the config says."""
        import torch

        from facemotion.backbones.network import load_network

        tensors = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        return load_network(self._config, tensors, self._place)


class Classifier:
    """A network, its config, and a copy of it made for inference.

    net: the network as it was trained, for saving and for training on. dtype: half precision only where asked for.
    Changing `net` afterwards changes no result: a new Classifier takes it up.
    """

    def __init__(
        self,
        net: EmotionNet | StoredNetwork,
        config: WeightsConfig,
        *,
        device: str = "auto",
        dtype: Precision = "float32",
    ) -> None:
        if dtype not in ("float32", "float16", "bfloat16"):
            raise ConfigError(f"dtype: expected 'float32', 'float16' or 'bfloat16', got {dtype!r}")
        self.config = config
        self._given: EmotionNet | StoredNetwork = net
        self._device, self._dtype = device, dtype
        self._quick: QuickRunner | None = None
        self._by_torch: TorchRunner | None = None
        self._making = threading.Lock()
        if dtype == "float32" and is_plain_fast(config) and is_processor(device):
            self._quick = _quick_runner(net, config)
        if self._quick is None and isinstance(net, StoredNetwork):
            self._given = net.make()
        # what torch is to run is copied now, unless it is still stored: its owner may change it later on
        if (self._quick is None or self._quick.most is not None) and not isinstance(self._given, StoredNetwork):
            self._torch_runner()

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str],
        *,
        device: str = "auto",
        dtype: Precision = "float32",
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """From a weights folder, a name of the catalogue, or `owner/repo[@revision]` of the hub; all verified."""
        found = resolve(source, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only)
        config, data = read_folder(found.folder, found.pins)
        stored = StoredNetwork(config, data, str(found.folder / MODEL))
        classifier = cls(stored, config, device=device, dtype=dtype)
        logger.info("weights %s: %s, %s", found.name, config.backbone, ", ".join(config.labels))
        return classifier

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes what an engine is made of: engines themselves can't be sent."""
        made = {name: self.__dict__[name] for name in ("net", "_by_torch") if name in self.__dict__}
        make = partial(type(self), device=self._device, dtype=self._dtype)
        return make, (self._given, self.config), made

    @cached_property
    def net(self) -> EmotionNet:
        """The network as it was trained; of a folder it is made when it is first asked for."""
        if not isinstance(self._given, StoredNetwork):
            return self._given
        # its owner may change it, but not what it was read from
        return copy.deepcopy(self._given.make())

    @cached_property
    def device(self) -> torch.device:
        """Where the network runs."""
        return resolve_device(self._device)

    def save(self, folder: str | os.PathLike[str], *, name: str | None = None) -> WeightsConfig:
        """Write a weights folder; `name` is what its card calls it."""
        return save_network(self.net, self.config, folder, name=name)

    @property
    def labels(self) -> LabelSet:
        return self.config.label_set

    def probabilities(self, crops: Pixels, batch_size: int = 32) -> NDArray[np.float32]:
        """(n, K) float32 for (n, size, size, channels) uint8 crops, as `facemotion.crops.cut` gives them."""
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        spec = self.config.input
        wanted = (spec.size, spec.size, spec.channels)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != wanted:
            expected = f"uint8 of shape (n, {', '.join(map(str, wanted))})"
            raise ImageError("wrong crops", expected=expected, got=f"{crops.dtype} of shape {crops.shape}")
        results = np.empty((len(crops), len(self.config.labels)), np.float32)
        for start in range(0, len(crops), batch_size):
            results[start : start + batch_size] = self._batch(crops[start : start + batch_size])
        if not np.isfinite(results).all():
            raise WeightsError(_NO_NUMBERS)
        return results

    def _batch(self, crops: Pixels) -> NDArray[np.float32]:
        if self._quick is not None and (self._quick.most is None or len(crops) <= self._quick.most):
            return self._quick(crops)
        return self._torch_runner()(crops)

    def _torch_runner(self) -> TorchRunner:
        with self._making:
            if self._by_torch is None:
                import torch

                from facemotion.backbones.torch_runner import TorchRunner

                net = self._given.make() if isinstance(self._given, StoredNetwork) else self._given
                dtype: torch.dtype = getattr(torch, self._dtype)
                self._by_torch = TorchRunner(net, self.config.input, self.device, dtype)
            return self._by_torch

    def packed(
        self,
        rank: int | None = None,
        *,
        judge: Pixels | None = None,
        truth: NDArray[Any] | None = None,
        judged_on: str = "",
        batch_size: int = 64,
    ) -> Classifier:
        """A smaller copy: int8 weights and, with a rank, big linear layers as two thin ones, which stay trainable.

        judge: crops on which both are compared, which the copy then tells of; `judged_on` is what they are called.
        truth: their labels as numbers. Without crops, noise shaped like faces is used, and the copy says so.
        Both are compared in full precision: what is told goes with the tensors, and not with what they run in here.
        """
        from facemotion.weights.pack import big_layers, decode, encode, make_low_rank

        net = copy.deepcopy(self.net)
        new = {} if rank is None else big_layers(net, rank)
        if rank is not None and not new:
            logger.warning("no layer gets smaller with rank %d", rank)
        if self.config.packing.int8 and not new:  # nothing to do, and what the packing cost is told already
            return self._alike(net, self.config)
        make_low_rank(net, new, keep_weights=True)
        ranks = self.config.packing.ranks | new
        # what is judged is what is stored: through int8 and back
        net.load_state_dict(decode(encode(net.state_dict(), int8=True)))
        crops = _noise(self.config, 64) if judge is None else judge
        config = dataclasses.replace(self.config, packing=Packing(int8=True, ranks=ranks))
        # another form than the one that was measured
        older = tuple({**each, "measured": "before packing"} for each in config.metrics)
        config = dataclasses.replace(config, metrics=older, speed_ms=None, speed_on="")
        small = Classifier(net, config, device=str(self.device))
        whole = self if self._dtype == "float32" else Classifier(self.net, self.config, device=str(self.device))
        before, after = (each.probabilities(crops, batch_size) for each in (whole, small))
        accuracy: dict[str, float] = {}
        if truth is not None:
            shares = [float((each.argmax(axis=1) == truth).mean()) for each in (before, after)]
            accuracy = dict(zip(("accuracy_before", "accuracy_after"), shares, strict=True))
        judged = Packing(
            int8=True,
            ranks=ranks,
            judged_on=judged_on or (f"{len(crops)} crops of noise" if judge is None else f"{len(crops)} crops"),
            agreement=float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
            largest_difference=float(np.abs(before - after).max()),
            **accuracy,
        )
        return self._alike(net, dataclasses.replace(config, packing=judged))

    def _alike(self, net: EmotionNet, config: WeightsConfig) -> Classifier:
        """Another network, run as this one is."""
        return Classifier(net, config, device=str(self.device), dtype=self._dtype)


def save_network(
    net: EmotionNet, config: WeightsConfig, folder: str | os.PathLike[str], *, name: str | None = None
) -> WeightsConfig:
    """Write a network as a weights folder, its temperature with it. Gives the config as written, with the hashes."""
    from facemotion.weights.pack import encode

    config = dataclasses.replace(config, temperature=net.temperature)
    return write_folder(at_home(folder), config, encode(net.state_dict(), int8=config.packing.int8), name)


def _noise(config: WeightsConfig, count: int) -> Pixels:
    """Crops of smooth noise: something to compare two networks on where there are no faces."""
    import torch

    spec, generator = config.input, torch.Generator().manual_seed(0)
    coarse = torch.rand((count, spec.channels, 6, 6), generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=spec.size, mode="bicubic").clamp(0, 1)
    crops: Pixels = (fine * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return crops


def _quick_runner(net: EmotionNet | StoredNetwork, config: WeightsConfig) -> QuickRunner | None:
    if isinstance(net, StoredNetwork):
        return QuickRunner.of(config, net.arrays, config.temperature)
    arrays = {name: tensor.detach().cpu().float().numpy() for name, tensor in net.state_dict().items()}
    return QuickRunner.of(config, arrays, net.temperature)
