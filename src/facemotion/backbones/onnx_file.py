"""Writes small ONNX files by hand: neither torch nor the `onnx` package is needed, and neither is quick to import.

The format is protocol buffers; the numbers below are those of the fields in ONNX's own `onnx.proto`, version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMAT, _OPERATORS = 8, 13
_FLOAT = 1
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7


class OnnxFile:
    """A network in the making: nodes in the order in which they run, one float input, one float output."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []

    def add(self, kind: str, inputs: Sequence[str], **attributes: int | Sequence[int]) -> str:
        """A node of an operator over named values; gives the name of its output."""
        output = f"{kind.lower()}{len(self._nodes)}"
        parts = [_text(1, name) for name in inputs] + [_text(2, output), _text(3, output), _text(4, kind)]
        self._nodes.append(b"".join(parts + [_field(5, _attribute(*item)) for item in attributes.items()]))
        return output

    def tensor(self, name: str, values: NDArray[np.floating]) -> str:
        """A constant; gives its name."""
        sides = b"".join(_number(1, side) for side in values.shape)
        self._tensors.append(sides + _number(2, _FLOAT) + _text(8, name) + _field(9, values.astype("<f4").tobytes()))
        return name

    def to_bytes(self, source: str, shape: Sequence[int], result: str, width: int) -> bytes:
        """The file. source: the input's name, (n, *shape); result: the value that is the output, (n, width)."""
        nodes = b"".join(_field(1, node) for node in self._nodes) + _text(2, "facemotion")
        tensors = b"".join(_field(5, tensor) for tensor in self._tensors)
        ends = _field(11, _value(source, shape)) + _field(12, _value(result, [width]))
        versions = _number(1, _FORMAT) + _field(8, _text(1, "") + _number(2, _OPERATORS))
        return versions + _field(7, nodes + tensors + ends)


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    return _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, _ATTRIBUTE_INTS)


def _value(name: str, shape: Sequence[int]) -> bytes:
    """A float value that has as many rows as there are faces."""
    sides = _field(1, _text(2, "n")) + b"".join(_field(1, _number(1, side)) for side in shape)
    return _text(1, name) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, sides)))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    """Bytes with their length before them."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    if value < 0:
        raise struct.error(f"expected a number from 0, got {value}")
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
