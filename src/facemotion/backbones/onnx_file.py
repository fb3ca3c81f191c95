"""Writes small ONNX files by hand: neither torch nor the `onnx` package is needed, and neither is quick to import.

The format is protocol buffers; the numbers below are those of the fields in ONNX's own `onnx.proto`, version 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FORMAT, _OPERATORS = 8, 13
_FLOAT = 1
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7


# a message as its pieces: tensors are copied once, when all is put together
_Pieces = list["bytes | memoryview"]


class OnnxFile:
    """A network in the making: nodes in the order in which they run, one float input, one float output."""

    def __init__(self) -> None:
        self._count = 0
        self._nodes: _Pieces = []
        self._tensors: _Pieces = []

    def add(self, kind: str, inputs: Sequence[str], **attributes: int | Sequence[int]) -> str:
        """A node of an operator over named values; gives the name of its output."""
        output = f"{kind.lower()}{self._count}"
        self._count += 1
        named = [piece for name in inputs for piece in _text(1, name)]
        more = [piece for item in attributes.items() for piece in _field(5, _attribute(*item))]
        self._nodes += _field(1, [*named, *_text(2, output), *_text(3, output), *_text(4, kind), *more])
        return output

    def tensor(self, name: str, values: NDArray[np.floating]) -> str:
        """A constant; gives its name."""
        sides = b"".join(_number(1, side) for side in values.shape)
        raw = np.ascontiguousarray(values, "<f4").data.cast("B")
        self._tensors += _field(5, [sides, _number(2, _FLOAT), *_text(8, name), *_field(9, [raw])])
        return name

    def to_bytes(self, source: str, shape: Sequence[int], result: str, width: int) -> bytes:
        """The file. source: the input's name, (n, *shape); result: the value that is the output, (n, width)."""
        ends = [*_field(11, _value(source, shape)), *_field(12, _value(result, [width]))]
        graph = _field(7, [*self._nodes, *_text(2, "facemotion"), *self._tensors, *ends])
        versions = _field(8, [*_text(1, ""), _number(2, _OPERATORS)])
        return b"".join([_number(1, _FORMAT), *graph, *versions])


def _attribute(name: str, value: int | Sequence[int]) -> _Pieces:
    if isinstance(value, int):
        return [*_text(1, name), _number(3, value), _number(20, _ATTRIBUTE_INT)]
    return [*_text(1, name), *(_number(8, each) for each in value), _number(20, _ATTRIBUTE_INTS)]


def _value(name: str, shape: Sequence[int]) -> _Pieces:
    """A float value that has as many rows as there are faces."""
    sides = [piece for side in shape for piece in _field(1, [_number(1, side)])]
    tensor = [_number(1, _FLOAT), *_field(2, [*_field(1, _text(2, "n")), *sides])]
    return [*_text(1, name), *_field(2, _field(1, tensor))]


def _text(number: int, text: str) -> _Pieces:
    return _field(number, [text.encode()])


def _field(number: int, content: _Pieces) -> _Pieces:
    """A message within a message, with its length before it."""
    return [_varint(number << 3 | 2) + _varint(sum(map(len, content))), *content]


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
