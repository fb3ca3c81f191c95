"""config.json: what a weights folder says of itself, checked before anything is built from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from facemotion.errors import ConfigError, DataError, RecipeError
from facemotion.inputs import InputSpec
from facemotion.labels import LabelSet
from facemotion.recipes.toml import check
from facemotion.version import __version__
from facemotion.weights.catalogue import Pin, is_file_name, is_sha256

FORMAT = 1
HOTTEST = 1000.0  # of temperatures; the coldest is as far below 1
CONFIG, MODEL, CARD = "config.json", "model.safetensors", "README.md"
PICKLES = (".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".th")
NO_PICKLES = (
    "pickles can run code and are never loaded from a folder or the hub; if the file is your own: "
    "`facemotion weights convert FILE.pth --backbone B --labels L`"
)


# checking the names takes longer than cutting a face out, and every face asks for them
_label_set = lru_cache(maxsize=16)(LabelSet)


@dataclass(frozen=True, slots=True)
class Head:
    """The layers after the backbone: hidden ones, each with ReLU and dropout, then one output a label."""

    hidden: tuple[int, ...] = ()
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 < width <= 65536 for width in self.hidden) or len(self.hidden) > 8:
            raise ValueError(f"hidden: expected at most 8 widths from 1 to 65536, got {list(self.hidden)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected 0 or more and less than 1, got {self.dropout}")


@dataclass(frozen=True, slots=True)
class Packing:
    """How the tensors were made smaller, and what that cost.

    int8: weights are int8 with one scale for each output. ranks: linear layers that are two thin ones, with the width
    between them. judged_on: the data of the following: agreement (share of the same first label), largest_difference
    (of a probability), accuracy_before and accuracy_after (where that data has labels).
    """

    int8: bool = False
    ranks: dict[str, Any] = field(default_factory=dict)
    judged_on: str = ""
    agreement: float | None = None
    largest_difference: float | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None

    def __post_init__(self) -> None:
        for layer, rank in self.ranks.items():
            if not isinstance(rank, int) or isinstance(rank, bool) or not 0 < rank <= 65536:
                raise ValueError(f"ranks: {layer}: expected a whole number from 1 to 65536, got {rank!r}")


def words_for(told: Mapping[str, Any]) -> str:
    """A split in words, as `chosen_on` has it: the name of the data, then its own."""
    return f"{told.get('data', '')} {told.get('split', '')}".strip()


@dataclass(frozen=True, slots=True)
class WeightsConfig:
    """What a weights folder says of itself.

    backbone, backbone_args, head, labels, input: what the network is. temperature: what its outputs are divided by
    before they become probabilities. trained_on: the data, with fingerprints. chosen_on: the split that chose the
    epoch; chosen_before: those that chose the weights which these began from, each with data, split, fingerprint and
    the labels it was taken with. metrics: figures, each with its data, split and label rule. files: the sha256 of every
    file beside.
    speed_ms: of one face, on the machine that `speed_on` describes.
    """

    backbone: str
    labels: tuple[str, ...]
    input: InputSpec = field(default_factory=InputSpec)
    backbone_args: dict[str, Any] = field(default_factory=dict)
    head: Head = field(default_factory=Head)
    temperature: float = 1.0
    description: str = ""
    licence: str = ""
    trained_on: tuple[dict[str, Any], ...] = ()
    chosen_on: str | None = None
    chosen_before: tuple[dict[str, Any], ...] = ()
    metrics: tuple[dict[str, Any], ...] = ()
    speed_ms: float | None = None
    speed_on: str = ""
    packing: Packing = field(default_factory=Packing)
    files: dict[str, Any] = field(default_factory=dict)
    facemotion_version: str = __version__
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not 1 / HOTTEST <= self.temperature <= HOTTEST:
            raise ValueError(f"temperature: expected a number from 0.001 to 1000, got {self.temperature}")
        for told in self.chosen_before:
            if not isinstance(told.get("labels"), list | tuple):
                raise ValueError(f"chosen_before: expected each with a list of labels, got {told}")
            LabelSet(told["labels"])
        for name, sha256 in self.files.items():
            if not is_file_name(name):
                raise ValueError(f"files: {name!r} is not the plain name of a file in this folder")
            if name.endswith(PICKLES):
                raise ValueError(f"files: {name!r}: {NO_PICKLES}")
            if name not in (MODEL, CARD):
                raise ValueError(f"files: expected {MODEL} and {CARD}, got {name!r}")
            if not is_sha256(sha256):
                raise ValueError(f"files: {name}: expected a sha256 of 64 hex digits, got {sha256!r}")

    @property
    def label_set(self) -> LabelSet:
        return _label_set(tuple(self.labels))

    @property
    def pins(self) -> dict[str, Pin]:
        """What this config says of the bytes of the files beside it."""
        return {name: Pin(sha256) for name, sha256 in self.files.items()}

    def to_json(self) -> str:
        values = dataclasses.asdict(self) | {"input": self.input.to_dict()}
        order = {"format": values.pop("format"), "facemotion_version": values.pop("facemotion_version")}
        text = json.dumps(order | values, indent=2, ensure_ascii=False) + "\n"
        # data may lie in a folder whose name is no UTF-8: what is none in it becomes the escapes that JSON has for it
        return text.encode(errors="backslashreplace").decode()

    @classmethod
    def from_json(cls, text: str, place: str) -> Self:
        """The config of a text; a ConfigError names the place, the key, what was expected and what came."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place}: not JSON: {error}") from error
        if not isinstance(values, Mapping) or "backbone" not in values or "labels" not in values:
            raise ConfigError(f"{place}: not the config of facemotion weights: expected format, backbone, labels ...")
        written = values.get("format")
        if written != FORMAT:
            by = f" (it says facemotion {values.get('facemotion_version', '?')} wrote it)"
            raise ConfigError(f"{place}: format: expected {FORMAT}, got {written!r}{by}: pip install -U facemotion")
        try:
            config: Self = check(cls, values, place)
            LabelSet(config.labels)
        except RecipeError as error:
            raise ConfigError(str(error)) from error
        except DataError as error:
            raise ConfigError(f"{place}: labels: {error}") from error
        return config
