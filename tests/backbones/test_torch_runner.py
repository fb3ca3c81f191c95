"""A network made quick for torch: the same numbers from a folded copy, and no more threads than the work is worth."""

from __future__ import annotations

import threading

import numpy as np
import torch
from networks import crops_for, network
from torch import nn

from facemotion.backbones.network import EmotionNet
from facemotion.backbones.torch_runner import TorchRunner
from facemotion.weights.spec import WeightsConfig


def runner_of(net: EmotionNet, config: WeightsConfig) -> TorchRunner:
    return TorchRunner(net, config.input, torch.device("cpu"), torch.float32)


def test_batch_normalisation_is_folded_and_the_network_itself_untouched() -> None:
    net, config = network()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    runner = runner_of(net, config)
    assert not [each for each in runner.net.modules() if isinstance(each, nn.BatchNorm2d)]
    assert [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_no_more_threads_than_this_machine_gives() -> None:
    net, config = network()
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(64)
        runner_of(net, config)
        assert torch.get_num_threads() < 64
    finally:
        torch.set_num_threads(before)


def test_two_at_once_leave_the_number_of_threads_as_it_was() -> None:
    """The second one comes while the first one computes, and goes after it."""
    before = torch.get_num_threads()
    net, config = network()
    runner, crops = runner_of(net, config), crops_for(config, 2)
    first_is_in, second_is_in, seen = threading.Event(), threading.Event(), []
    first, second = (threading.Thread(target=runner, args=(crops,)) for _ in range(2))

    def hold(*_: object) -> None:
        if threading.current_thread() is first:
            first_is_in.set()
            assert second_is_in.wait(60)
        else:
            second_is_in.set()
            first.join(60)

    runner.net.register_forward_pre_hook(hold)
    try:
        torch.set_num_threads(2)
        usual = torch.get_num_threads()
        first.start()
        assert first_is_in.wait(60)
        second.start()
        second.join(60)
        # a thread that is new to torch takes the number that was set last
        new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        new.start()
        new.join()
        assert [torch.get_num_threads(), *seen] == [usual, usual]
    finally:
        torch.set_num_threads(before)


def test_a_few_faces_of_a_small_network_take_one_thread_and_much_work_takes_all() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        (net, config), (large_net, large_config) = network("fast"), network("vgg16")
        small, large = runner_of(net, config), runner_of(large_net, large_config)
        used: list[int] = []
        for runner in (small, large):
            runner.net.register_forward_pre_hook(lambda *_: used.append(torch.get_num_threads()))
        small(crops_for(config, 4))
        large(crops_for(large_config, 4))
        assert used == [1, torch.get_num_threads()]
        assert small.work < large.work / 10
        rows = small(crops_for(config, 300))
        assert used[-1] == torch.get_num_threads()
        alone = [small(crops_for(config, 300)[index : index + 1])[0] for index in (0, 299)]
        np.testing.assert_allclose(rows[[0, 299]], alone, atol=1e-6)
    finally:
        torch.set_num_threads(before)


def test_weights_that_are_made_of_others_are_counted_too() -> None:
    net, config = network("cnn4")
    plain = runner_of(net, config).work
    first = next(each for each in net.modules() if isinstance(each, nn.Conv2d))
    torch.nn.utils.parametrizations.weight_norm(first)
    assert runner_of(net, config).work == plain
