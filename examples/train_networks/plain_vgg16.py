"""A trained vgg16_bn with a pool of 1 as the plain VGG16 of the paper: `python plain_vgg16.py runs/vgg/best plain`.

Batch norms go into the convolutions before them. The head's 512 inputs become 25,088: where a crop leaves one pixel the
original repeats it 49 times, so that each input gets a 49th of the weight. The function stays the same.
"""

from __future__ import annotations

import dataclasses
import sys

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facemotion.backbones.network import load_network
from facemotion.classifier import Classifier, save_network


def plain(net: nn.Module) -> dict[str, Tensor]:
    """The tensors of the plain network by their names there."""
    layers = net.get_submodule("backbone.features").eval()
    pairs = [(layers[at], layers[at + 1]) for at, each in enumerate(layers) if isinstance(each, nn.Conv2d)]
    fused = [fuse_conv_bn_eval(*pair) for pair in pairs]
    without_norms = nn.Sequential(*(each for each in layers if not isinstance(each, nn.BatchNorm2d)))
    places = [at for at, each in enumerate(without_norms) if isinstance(each, nn.Conv2d)]
    tensors = {f"head.{name}": tensor for name, tensor in net.get_submodule("head").state_dict().items()}
    tensors["head.0.weight"] = tensors["head.0.weight"].repeat_interleave(49, dim=1) / 49
    for at, convolution in zip(places, fused, strict=True):
        tensors[f"backbone.features.{at}.weight"] = convolution.weight
        tensors[f"backbone.features.{at}.bias"] = convolution.bias
    return tensors


def main() -> None:
    weights, out = sys.argv[1:]
    trained = Classifier.load(weights, device="cpu")
    config = dataclasses.replace(trained.config, backbone="vgg16", backbone_args={"trainable_convs": 13})
    net = load_network(config, plain(trained.net), out).eval()
    spec = config.input
    crops = torch.rand(8, spec.channels, spec.size, spec.size)
    with torch.no_grad():
        difference = (net(crops) - trained.net.eval()(crops)).abs().max()
    if difference > 1e-3:
        raise SystemExit(f"{weights}: its logits differ from those of the plain network by {difference:.1e}")
    save_network(net, config, out)


if __name__ == "__main__":
    main()
