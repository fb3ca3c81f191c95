"""Making weights small: int8 with a scale for each output, and big linear layers as two thin ones."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor, nn

from facemotion.errors import ConfigError
from facemotion.weights.tensors import SCALE, decode_arrays

# a layer below this many weights is not worth a second one
_BIG = 500_000


class LowRankLinear(nn.Sequential):
    """A linear layer as two thin ones, the first to `rank` values: fewer weights, and still trainable."""

    down: nn.Linear
    up: nn.Linear

    def __init__(self, inputs: int, outputs: int, rank: int, bias: bool = True) -> None:
        super().__init__()
        self.add_module("down", nn.Linear(inputs, rank, bias=False))
        self.add_module("up", nn.Linear(rank, outputs, bias=bias))


def big_layers(net: nn.Module, rank: int) -> dict[str, int]:
    """The linear layers of a network that become smaller as two thin ones of that rank, with the rank."""
    if rank < 1:
        raise ConfigError(f"rank: expected 1 or more, got {rank}")
    found = {}
    for name, module in net.named_modules():
        inside = name.rsplit(".", 1)[0] if "." in name else ""
        if not isinstance(module, nn.Linear) or isinstance(net.get_submodule(inside), LowRankLinear):
            continue
        whole = module.in_features * module.out_features
        if whole >= _BIG and rank * (module.in_features + module.out_features) < whole:
            found[name] = rank
    return found


def make_low_rank(net: nn.Module, ranks: Mapping[str, int], *, keep_weights: bool) -> None:
    """Replace linear layers by two thin ones, in place; with keep_weights these come as close as their rank allows."""
    for name, rank in ranks.items():
        try:
            layer = net.get_submodule(name)
        except AttributeError:
            layer = None
        if not isinstance(layer, nn.Linear):
            raise ConfigError(f"packing: ranks: {name!r} is no linear layer of this network")
        with torch.device(layer.weight.device):
            thin = LowRankLinear(layer.in_features, layer.out_features, rank, layer.bias is not None)
        if keep_weights:
            down, up = _factors(layer.weight.detach(), rank)
            with torch.no_grad():
                thin.down.weight.copy_(down)
                thin.up.weight.copy_(up)
                if layer.bias is not None:
                    thin.up.bias.copy_(layer.bias)
        net.set_submodule(name, thin)


def _factors(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Truncated SVD, its singular values shared evenly: the two factors then train at like speed and round alike."""
    matrix = weight.float()
    if min(matrix.shape) <= 1024:
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        u, s, v = u[:, :rank], s[:rank], v[:rank].T
    else:
        # randomised: minutes become seconds; a few more columns and power iterations make up for it
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            u, s, v = torch.svd_lowrank(matrix, q=min(rank + 32, *matrix.shape), niter=4)
        u, s, v = u[:, :rank], s[:rank], v[:, :rank]
    root = s.sqrt()
    return root[:, None] * v.T, u * root


def encode(tensors: Mapping[str, Tensor], *, int8: bool) -> bytes:
    """Tensors as the bytes of a safetensors file; with int8, weights become int8 with a scale for each output."""
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = tensor.detach().to("cpu").contiguous()
        if int8 and value.is_floating_point() and value.ndim >= 2:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(dim=1) / 127
            scale[scale == 0] = 1.0
            stored[name] = (rows / scale[:, None]).round().clamp(-127, 127).to(torch.int8).reshape(value.shape)
            stored[name + SCALE] = scale
        else:
            # tensors that share memory, such as tied weights, are written one by one
            stored[name] = value.clone()
    return safetensors.torch.save(stored)


def decode(data: bytes, place: str = "model.safetensors") -> dict[str, Tensor]:
    """The tensors of a safetensors file; int8 ones become float32 by their scales."""
    return {name: torch.from_numpy(array) for name, array in decode_arrays(data, place).items()}
