"""Write a trained network as ONNX: convolutions with their norms folded in, ReLU, addition, doubling.

The graph is written node by node, so that it holds nothing that some OpenCV since 4.10 can't read, and takes any
picture whose sides are multiples of 32.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from network import OUTPUTS, STRIDES, Conv, Dense, MiniNet, Separable
from onnx import TensorProto, helper, numpy_helper
from torch import nn


class Graph:
    """ONNX nodes in the making; every method takes and returns names of values."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def convolve(self, x: str, weight: torch.Tensor, bias: torch.Tensor, like: nn.Conv2d) -> str:
        pad, stride, size = like.padding[0], like.stride[0], like.kernel_size[0]
        return self.add(
            "Conv",
            [x, self.constant(weight.detach().numpy()), self.constant(bias.detach().numpy())],
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=like.groups,
        )

    def conv(self, x: str, block: Conv, gain: float = 1.0) -> str:
        norm = block.norm
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = block.conv.weight * scale[:, None, None, None] * gain
        y = self.convolve(x, weight, norm.bias - norm.running_mean * scale, block.conv)
        return y if block.linear else self.add("Relu", [y])

    def join(self, x: str, y: str) -> str:
        return self.add("Relu", [self.add("Add", [x, y])])

    def run(self, x: str, blocks: nn.Module) -> str:
        if isinstance(blocks, nn.Sequential):
            for block in blocks:
                x = self.run(x, block)
            return x
        if isinstance(blocks, Conv):
            return self.conv(x, blocks)
        if isinstance(blocks, Dense):
            return self.join(x, self.conv(x, blocks.body))
        if isinstance(blocks, Separable):
            y = self.conv(self.conv(x, blocks.depthwise), blocks.pointwise)
            return self.join(x, y) if blocks.around else self.add("Relu", [y])
        raise TypeError(f"no ONNX for {type(blocks).__name__}")

    def double(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2]))
        return self.add(
            "Resize",
            [x, "", scales],
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )


def to_onnx(net: MiniNet) -> onnx.ModelProto:
    """The network as an ONNX model with the outputs `stride8`, `stride16` and `stride32`."""
    graph = Graph()
    # The network learnt on 0 to 1; the detector hands over 0 to 255.
    fine = graph.run(graph.conv("image", net.fine[0], gain=1 / 255), net.fine[1:])
    middle = graph.run(fine, net.middle)
    coarse = graph.run(middle, net.coarse)
    middle = graph.join(middle, graph.double(graph.conv(coarse, net.coarse_to_middle)))
    middle = graph.run(middle, net.join_middle)
    fine = graph.join(fine, graph.double(graph.conv(middle, net.middle_to_fine)))
    fine = graph.run(fine, net.join_fine)
    outputs = []
    for stride, x, head in zip(STRIDES, (fine, middle, coarse), net.heads, strict=True):
        graph.convolve(x, head.weight, head.bias, head)
        graph.nodes[-1].output[0] = f"stride{stride}"
        shape = [1, OUTPUTS, f"height{stride}", f"width{stride}"]
        outputs.append(helper.make_tensor_value_info(f"stride{stride}", TensorProto.FLOAT, shape))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 16, "height", "width"])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "mini", [image], outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", 13)],
        producer_name="facemotion",
    )
    model.ir_version = 8  # the oldest that opset 13 needs: old runtimes refuse newer files
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="what train.py wrote")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    net = MiniNet()
    net.load_state_dict(torch.load(options.weights, weights_only=True))
    content = to_onnx(net.eval()).SerializeToString()
    options.out.write_bytes(content)
    count = sum(p.numel() for p in net.parameters())
    print(f"{options.out}: {count} weights, {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
