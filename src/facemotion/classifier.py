"""Crops in, probabilities out: a network with what it says of itself, made quick for the machine it runs on."""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from facemotion.backbones.network import EmotionNet, load_network, normalise
from facemotion.devices import cpu_threads, resolve_device
from facemotion.errors import ConfigError, ImageError
from facemotion.labels import LabelSet
from facemotion.weights.folder import read_folder, write_folder
from facemotion.weights.pack import big_layers, decode, encode, make_low_rank
from facemotion.weights.sources import resolve
from facemotion.weights.spec import MODEL, Packing, WeightsConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.results import Pixels

logger = logging.getLogger(__name__)

Precision = Literal["float32", "float16", "bfloat16"]

# multiplications that one thread does in some 20 milliseconds
_WORK_OF_ONE_THREAD = 500_000_000


class Classifier:
    """A network, its config, and a copy of it made for inference.

    net: the network as it was trained, for saving and for training on. dtype: half precision only where asked for.
    Changing `net` afterwards changes no result: a new Classifier takes it up.
    """

    def __init__(
        self, net: EmotionNet, config: WeightsConfig, *, device: str = "auto", dtype: Precision = "float32"
    ) -> None:
        if dtype not in ("float32", "float16", "bfloat16"):
            raise ConfigError(f"dtype: expected 'float32', 'float16' or 'bfloat16', got {dtype!r}")
        self.net, self.config = net, config
        self.device = resolve_device(device)
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._running = _for_inference(net).to(self.device, self._dtype).to(memory_format=torch.channels_last)
        self._work = 0
        if self.device.type == "cpu":
            _limit_threads()
            # before anybody else can run the network
            self._work = _multiplications(self._running, config.input, self._dtype)

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
        place = str(found.folder / MODEL)
        net = load_network(config, decode(data, place), place)
        logger.info("weights %s: %s, %s", found.name, config.backbone, ", ".join(config.labels))
        return cls(net, config, device=device, dtype=dtype)

    def save(self, folder: str | os.PathLike[str], *, name: str | None = None) -> WeightsConfig:
        """Write a weights folder; `name` is what its card calls it."""
        return save_network(self.net, self.config, folder, name=name)

    @property
    def labels(self) -> LabelSet:
        return self.config.label_set

    def probabilities(self, crops: Pixels, batch_size: int = 32) -> NDArray[np.float32]:
        """(n, K) float32 for (n, size, size, channels) uint8 crops, as `facemotion.crops.cut` gives them."""
        spec = self.config.input
        wanted = (spec.size, spec.size, spec.channels)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != wanted:
            expected = f"uint8 of shape (n, {', '.join(map(str, wanted))})"
            raise ImageError("wrong crops", expected=expected, got=f"{crops.dtype} of shape {crops.shape}")
        results = np.empty((len(crops), len(self.config.labels)), np.float32)
        for start in range(0, len(crops), batch_size):
            results[start : start + batch_size] = self._batch(crops[start : start + batch_size])
        return results

    def _batch(self, crops: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode(), self._threads(len(crops)):
            pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)
            pixels = normalise(pixels, self.config.input).to(self._dtype, memory_format=torch.channels_last)
            values: NDArray[np.float32] = self._running.probabilities(pixels).cpu().numpy()
        return values

    def _threads(self, count: int) -> AbstractContextManager[None]:
        """One thread for little work: others cost more than they save, and where a machine is busy, much more."""
        if self.device.type != "cpu" or count * self._work > _WORK_OF_ONE_THREAD:
            return nullcontext()
        return _one_thread()

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
        """
        net = copy.deepcopy(self.net)
        ranks = dict(self.config.packing.ranks)
        if rank is not None:
            new = big_layers(net, rank)
            make_low_rank(net, new, keep_weights=True)
            ranks |= new
        # what is judged is what is stored: through int8 and back
        net.load_state_dict(decode(encode(net.state_dict(), int8=True)))
        crops = _noise(self.config, 64) if judge is None else judge
        config = dataclasses.replace(self.config, packing=Packing(int8=True, ranks=ranks))
        small = Classifier(net, config, device=str(self.device))
        before, after = (each.probabilities(crops, batch_size) for each in (self, small))
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
        small.config = dataclasses.replace(config, packing=judged)
        return small


def save_network(
    net: EmotionNet, config: WeightsConfig, folder: str | os.PathLike[str], *, name: str | None = None
) -> WeightsConfig:
    """Write a network as a weights folder, its temperature with it. Gives the config as written, with the hashes."""
    config = dataclasses.replace(config, temperature=net.temperature)
    return write_folder(Path(folder), config, encode(net.state_dict(), int8=config.packing.int8), name)


def _noise(config: WeightsConfig, count: int) -> Pixels:
    """Crops of smooth noise: something to compare two networks on where there are no faces."""
    spec, generator = config.input, torch.Generator().manual_seed(0)
    coarse = torch.rand((count, spec.channels, 6, 6), generator=generator)
    fine = nn.functional.interpolate(coarse, size=spec.size, mode="bicubic").clamp(0, 1)
    crops: Pixels = (fine * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return crops


def _for_inference(net: EmotionNet) -> EmotionNet:
    """A copy with batch normalisation folded into the convolutions."""
    running = copy.deepcopy(net).eval()
    for before, after in _pairs_to_fold(running):
        convolution, norm = running.get_submodule(before), running.get_submodule(after)
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        running.set_submodule(before, nn.utils.fusion.fuse_conv_bn_eval(convolution, norm))
        running.set_submodule(after, nn.Identity())
    return running


def _pairs_to_fold(net: nn.Module) -> list[tuple[str, str]]:
    """The convolutions whose only reader is a batch normalisation, with it."""
    modules = dict(net.named_modules())
    if not any(isinstance(module, nn.BatchNorm2d) for module in modules.values()):
        return []
    try:
        graph = torch.fx.symbolic_trace(net).graph
    except Exception as error:  # a network whose way depends on its input: it runs as it is, only slower
        logger.debug("batch normalisation stays as it is: %s", error)
        return []
    calls = [node for node in graph.nodes if node.op == "call_module"]
    uses = [str(node.target) for node in calls]
    pairs = []
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(modules[str(node.target)], nn.BatchNorm2d) or not isinstance(before, torch.fx.Node):
            continue
        single = len(before.users) == 1 and uses.count(str(before.target)) == uses.count(str(node.target)) == 1
        if before.op == "call_module" and single and type(modules[str(before.target)]) is nn.Conv2d:
            pairs.append((str(before.target), str(node.target)))
    return pairs


def _multiplications(net: nn.Module, spec: InputSpec, dtype: torch.dtype) -> int:
    """Those in convolutions and linear layers for a face; what else there is costs little."""
    counts: list[int] = []

    def count(layer: nn.Module, _: Any, output: Tensor) -> None:
        # each output channel's value is a sum over one kernel
        weight = layer.get_parameter("weight")
        counts.append(output.numel() * weight[0].numel())

    layers = [each for each in net.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode(), _one_thread():
        net(torch.zeros((1, spec.channels, spec.size, spec.size), dtype=dtype))
    for handle in handles:
        handle.remove()
    return sum(counts)


class _OneThread:
    """Lets torch compute with one thread for a while, also where several of the program's threads ask for it at once.

    The number is each thread's own, but a thread that is new to torch starts with the one that was set last, by
    whichever. So what is put back is what was usual before the first of those who are inside now came.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._usual = threading.Lock(), 0, 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._usual = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                torch.set_num_threads(self._usual)


_one_thread = _OneThread()


def _limit_threads() -> None:
    """No more threads than this process may use: in a container torch counts processors that it will not be given."""
    if torch.get_num_threads() > cpu_threads():
        torch.set_num_threads(cpu_threads())
