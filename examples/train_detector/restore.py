"""Take up training where an exported network ended: its weights, with norms again where the export folded them in.

    python restore.py mini.onnx start.pt --cache CACHE

The norms get the statistics of a few hundred composed frames, so that the network answers as before.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from network import Conv, MiniNet, fold
from onnx import numpy_helper
from torch import Tensor, nn
from train import SEED, Frames

BATCHES = 12


def convolutions(model: onnx.ModelProto) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights and biases in the order in which they are computed, which is also `MiniNet.forward`'s."""
    arrays = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Conv":
            yield arrays[node.input[1]], arrays[node.input[2]]


@torch.no_grad()
def restore(model: onnx.ModelProto, frames: Tensor) -> MiniNet:
    """A network that answers as the model does, with norms made for these frames (N, 16, H/4, W/4)."""
    net = MiniNet().eval()
    left = convolutions(model)

    def fill(block: nn.Module, inputs: tuple[Tensor]) -> None:
        weight, bias = next(left)
        if isinstance(block, nn.Conv2d):
            block.weight.copy_(weight)
            block.bias.copy_(bias)
            return
        # the export divided the first weights by 255
        block.conv.weight.copy_(weight * 255 if block is net.fine[0] else weight)
        variance, mean = torch.var_mean(block.conv(inputs[0]), dim=(0, 2, 3))
        block.norm.running_mean.copy_(mean)
        block.norm.running_var.copy_(variance)
        block.norm.weight.copy_(torch.sqrt(variance + block.norm.eps))
        block.norm.bias.copy_(bias + mean)

    blocks = [each for each in net.modules() if isinstance(each, Conv)] + list(net.heads)
    hooks = [each.register_forward_pre_hook(fill) for each in blocks]
    net(frames)
    for hook in hooks:
        hook.remove()
    return net


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="what export.py wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    frames = Frames(options.cache, SEED)
    images = torch.cat([frames.batch()[0] for _ in range(BATCHES)])
    net = restore(onnx.load(options.model), fold(images))
    torch.save(net.state_dict(), options.out)


if __name__ == "__main__":
    main()
