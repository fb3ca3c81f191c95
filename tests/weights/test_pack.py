"""int8 and low rank, on real tensors and layers."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from torch import nn

from facemotion.errors import ConfigError
from facemotion.weights.pack import LowRankLinear, big_layers, decode, encode, make_low_rank


def test_int8_is_a_quarter_and_within_half_a_step_of_each_row() -> None:
    torch.manual_seed(0)
    weight = torch.randn(64, 32, 3, 3) * torch.logspace(-3, 1, 64)[:, None, None, None]
    tensors = {"conv.weight": weight, "conv.bias": torch.randn(64), "count": torch.tensor(7)}
    data = encode(tensors, int8=True)
    assert len(data) < weight.numel() * 1.1 + 2000
    back = decode(data)
    assert set(back) == set(tensors)
    steps = weight.flatten(1).abs().amax(dim=1) / 127
    assert ((back["conv.weight"] - weight).flatten(1).abs() <= steps[:, None] * 0.501).all()
    assert torch.equal(back["conv.bias"], tensors["conv.bias"])
    assert torch.equal(back["count"], tensors["count"])
    # packing what was packed changes nothing
    again = decode(encode(back, int8=True))["conv.weight"]
    assert torch.allclose(again, back["conv.weight"], rtol=1e-6, atol=0)


def test_a_row_of_zeros_stays_one() -> None:
    back = decode(encode({"w": torch.tensor([[0.0, 0.0], [1.0, -1.0]])}, int8=True))
    assert back["w"].tolist() == [[0.0, 0.0], [1.0, -1.0]]


def test_without_int8_nothing_changes() -> None:
    tensors = {"w": torch.randn(5, 3), "tied": torch.ones(3)}
    back = decode(encode(tensors, int8=False))
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "stored",
    [
        {"w": torch.zeros(2, 2, dtype=torch.int8), "w.int8_scale": torch.ones(3)},
        {"w": torch.zeros(2, 2), "w.int8_scale": torch.ones(2)},
        {"w.int8_scale": torch.ones(2)},
    ],
)
def test_scales_that_do_not_fit_are_named(stored: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ConfigError, match="w"):
        decode(safetensors.torch.save(stored), "here")


def test_bytes_that_are_no_tensors() -> None:
    with pytest.raises(ConfigError, match="here: not a safetensors file"):
        decode(b"\x80\x04pickle", "here")


@pytest.mark.parametrize("inputs", [900, 3000])
def test_a_layer_of_low_rank_is_kept_whole_in_two_thin_ones(inputs: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(inputs, 1200), nn.ReLU(), nn.Linear(1200, 5))
    with torch.no_grad():
        net[0].weight.copy_(torch.randn(1200, 12) @ torch.randn(12, inputs))
    pixels = torch.randn(4, inputs)
    wanted = net(pixels).detach()
    ranks = big_layers(net, 12)
    assert ranks == {"0": 12}
    make_low_rank(net, ranks, keep_weights=True)
    assert isinstance(net[0], LowRankLinear)
    assert sum(each.numel() for each in net[0].parameters()) == 12 * (inputs + 1200) + 1200
    assert torch.allclose(net(pixels).detach(), wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
    assert big_layers(net, 12) == {}


def test_thin_layers_can_be_trained() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1000, 1000))
    make_low_rank(net, {"0": 4}, keep_weights=True)
    pixels, wanted = torch.randn(64, 1000), torch.randn(64, 1000)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(net(pixels), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] * 0.95


def test_only_big_layers_that_shrink_are_taken() -> None:
    net = nn.Sequential(nn.Linear(1000, 1000), nn.Linear(10, 10), nn.Conv2d(3, 4, 3))
    assert big_layers(net, 100) == {"0": 100}
    assert big_layers(net, 600) == {}
    with pytest.raises(ConfigError, match="rank: expected 1 or more"):
        big_layers(net, 0)
    with pytest.raises(ConfigError, match="'7' is no linear layer"):
        make_low_rank(net, {"7": 3}, keep_weights=False)
    with pytest.raises(ConfigError, match="'2' is no linear layer"):
        make_low_rank(net, {"2": 3}, keep_weights=False)
