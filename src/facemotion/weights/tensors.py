"""The tensors of a weights folder as numpy arrays: a network that runs without torch is read without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors

from facemotion.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# an int8 tensor's name with this behind it is that of its scales, one for each output
SCALE = ".int8_scale"
_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def decode_arrays(data: bytes, place: str) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file; int8 ones become float32 by their scales, and so does bfloat16."""
    try:
        stored = {name: _array(value, f"{place}: {name}") for name, value in safetensors.deserialize(data)}
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ConfigError(f"{place}: not a safetensors file: {error}") from error
    arrays = {}
    for name, value in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        if scale is None:
            arrays[name] = value
            continue
        if value.dtype != np.int8 or value.ndim < 2 or scale.shape != value.shape[:1]:
            got = f"{value.dtype} {list(value.shape)} with {list(scale.shape)} scales"
            raise ConfigError(f"{place}: {name}: expected int8 with a scale for each output, got {got}")
        arrays[name] = value.astype(np.float32) * scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
    orphans = [name for name in stored if name.endswith(SCALE) and name.removesuffix(SCALE) not in stored]
    if orphans:
        raise ConfigError(f"{place}: scales without weights: {', '.join(orphans)}")
    return arrays


def _array(value: dict[str, Any], place: str) -> NDArray[Any]:
    kind, shape = value["dtype"], value["shape"]
    if kind == "BF16":  # the upper half of a float32, which numpy has no name for
        halves = np.frombuffer(value["data"], "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(shape)
    if kind not in _DTYPES:
        raise ConfigError(f"{place}: expected one of {', '.join([*_DTYPES, 'BF16'])}, got {kind}")
    array = np.frombuffer(value["data"], _DTYPES[kind]).reshape(shape)
    # a network is trained on in this memory
    return array if array.flags.writeable else array.copy()
