"""What a network is fed.

Saved beside its weights, so that training, evaluation, inference and export can't drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Colour = Literal["grey", "rgb"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A square face crop as a network wants it: `(pixel / 255 - mean) / std` of `size` x `size` pixels.

    size: side of the crop in pixels.
    colour: "grey" (one channel) or "rgb" (three).
    margin: what is added around the face's box on every side, as a share of its longer side.
    align: turn and scale the face by its landmarks, where the detector gives them.
    mean, std: one number a channel, on a scale of 0 to 1.
    """

    size: int = 48
    colour: Colour = "grey"
    margin: float = 0.0
    align: bool = False
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        for name in ("mean", "std"):  # numpy's numbers would make other types of all that they meet
            values = tuple(float(each) if _is_number(each) else each for each in getattr(self, name))
            object.__setattr__(self, name, values)
        if not isinstance(self.size, int) or isinstance(self.size, bool) or not 8 <= self.size <= 1024:
            raise ValueError(f"size: expected a whole number from 8 to 1024, got {self.size!r}")
        if self.colour not in ("grey", "rgb"):
            raise ValueError(f"colour: expected 'grey' or 'rgb', got {self.colour!r}")
        if not _is_number(self.margin) or not -0.4 <= self.margin <= 2:
            raise ValueError(f"margin: expected a number from -0.4 to 2, got {self.margin!r}")
        if not isinstance(self.align, bool):
            raise ValueError(f"align: expected true or false, got {self.align!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels or not all(map(_is_number, values)):
                raise ValueError(f"{name}: expected {self.channels} number(s) for {self.colour}, got {list(values)!r}")
        if min(self.std) <= 0:
            raise ValueError(f"std: expected numbers above 0, got {list(self.std)!r}")

    @property
    def channels(self) -> int:
        return 1 if self.colour == "grey" else 3

    @property
    def factors(self) -> tuple[float, ...]:
        """What a pixel, 0 to 255, is multiplied by, one number a channel; `shifts` is what is then taken from it."""
        return tuple(1 / (255 * std) for std in self.std)

    @property
    def shifts(self) -> tuple[float, ...]:
        """What is taken from a pixel after `factors`."""
        return tuple(mean / std for mean, std in zip(self.mean, self.std, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and TOML."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`. An unknown key or a wrong value raises a ValueError that names it."""
        known = {field.name for field in fields(cls)}
        for key in values:
            if key not in known:
                raise ValueError(f"{key}: unknown key, expected some of {', '.join(sorted(known))}")
        for key in ("mean", "std"):
            if key in values and not isinstance(values[key], list | tuple):
                raise ValueError(f"{key}: expected a list of numbers, got {values[key]!r}")
        return cls(**values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < 1e9
