"""A user's own state dict as one of our networks: read without running code from it, fitted by name or by order."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facemotion.backbones.network import EmotionNet, build_network, load_network
from facemotion.errors import ConfigError, WeightsError
from facemotion.weights.spec import WeightsConfig

logger = logging.getLogger(__name__)

# under which key checkpoints keep the state dict, and what wrappers put before every name
_INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_DEEPEST = 5
# counts batches during training, means nothing afterwards, and old files do not have it
_COUNTER = "num_batches_tracked"


def network_from_file(path: str | os.PathLike[str], config: WeightsConfig) -> EmotionNet:
    """The network that a config describes, with the tensors of a .pth file. It has to be a plain state dict.

    Names are matched; where they are others, tensors are matched by their order, if every shape agrees.
    """
    place = str(path)
    found = _read(Path(path))
    net = build_network(config)
    wanted = {name: tensor for name, tensor in net.state_dict().items() if not name.endswith(_COUNTER)}
    counters = {name: tensor for name, tensor in net.state_dict().items() if name.endswith(_COUNTER)}
    _check_classes(found, config, place)
    if set(found) != set(wanted):
        found = _by_order(found, wanted, place)
    return load_network(config, counters | dict(found), place)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: it holds more than tensors, and reading that could run code: save the state dict alone, "
            "torch.save(model.state_dict(), FILE)"
        ) from error
    except Exception as error:  # bytes that are no checkpoint make its reader stumble in many ways
        raise WeightsError(f"{path}: not a file that torch.save wrote: {type(error).__name__}: {error}") from error
    state = content
    for _ in range(_DEEPEST):  # a file can hold itself
        key = next((key for key in _INSIDE if isinstance(state, Mapping) and _is_dict(state, key)), None)
        if key is None:
            break
        state = state[key]
    if not isinstance(state, Mapping) or not state or not all(isinstance(each, Tensor) for each in state.values()):
        raise WeightsError(f"{path}: expected a state dict, got {_describe(content)}")
    names = list(state)
    while prefix := next((each for each in _PREFIXES if all(name.startswith(each) for name in names)), None):
        names = [name.removeprefix(prefix) for name in names]
    tensors = dict(zip(names, state.values(), strict=True))
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_COUNTER)}


def _is_dict(state: Mapping[str, Any], key: str) -> bool:
    return isinstance(state.get(key), Mapping)


def _describe(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dict with {', '.join(map(repr, list(content)[:5])) or 'nothing'}"
    return type(content).__name__


def _check_classes(found: Mapping[str, Tensor], config: WeightsConfig, place: str) -> None:
    last = list(found.values())[-1]
    if last.ndim == 1 and len(last) != len(config.labels):
        raise ConfigError(
            f"{place}: expected an output for each of {len(config.labels)} labels ({', '.join(config.labels)}), "
            f"got {len(last)}"
        )


def _by_order(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], place: str) -> dict[str, Tensor]:
    """The tensors under our names: the i-th is the i-th, if all shapes and the last words of the names agree."""
    if len(found) != len(wanted):
        raise ConfigError(
            f"{place}: expected {len(wanted)} tensors ({_first(wanted)}), got {len(found)} ({_first(found)}): "
            "is it another backbone, or another head?"
        )
    for (theirs, tensor), (ours, place_of) in zip(found.items(), wanted.items(), strict=True):
        same = tensor.shape == place_of.shape and theirs.rpartition(".")[2] == ours.rpartition(".")[2]
        if not same:
            raise ConfigError(
                f"{place}: {theirs}: expected {ours} with shape {list(place_of.shape)}, got {list(tensor.shape)}"
            )
    logger.warning("%s: its names are not ours, so tensors were matched by order and shape: try it before use", place)
    return dict(zip(wanted, found.values(), strict=True))


def _first(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(list(tensors)[:2]) + " ..."
