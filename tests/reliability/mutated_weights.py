"""Weights folders as a hostile hand would make them: configs and tensors that say nonsense."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mutated_pictures import flip_bits, leave_out, most_megabytes, overwrite, repeat

from facemotion.classifier import Classifier
from facemotion.errors import FacemotionError

# what stands where something else belongs
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 65536, 65537, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "fast", "../../etc/passwd", "\ud800", "\x1b]0;pwned\x07", "a\nb", "x" * 100_000, "torchvision:resnet18",
    "torchvision:../x", "torchvision:vit_b_16", "torchvision:swin_t", "__import__('os')", [], {}, [[]], [{}], [0] * 9,
    [65536] * 8, [1.5], ["happy", "happy"], ["a"] * 100_000, {"": ""}, {"size": 10**9}, {"__class__": "x"},
    {"num_classes": 10**9}, {"channels": 3}, {"dropout": "x"}, {"image_size": 10**6}, {"hidden_dim": 10**6},
    {"width_mult": 1e9}, {"embed_dim": 10**6}, {"model.safetensors": "0" * 64}, {"../x": "0" * 64},
)  # fmt: skip
DTYPES = (
    "F64",
    "F32",
    "F16",
    "BF16",
    "I64",
    "I32",
    "I16",
    "I8",
    "U8",
    "BOOL",
    "F8_E4M3",
    "F8_E5M2",
    "C64",
    "F4",
    "U64",
)


def mutated_config(config: dict[str, Any], draw: random.Random) -> bytes:
    """A config of which one to three values, somewhere within, are others; at times the text itself is damaged."""
    values = copy.deepcopy(config)
    for _ in range(draw.choice((1, 1, 2, 3))):
        place: Any = values
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys or draw.random() < 0.1:
                if isinstance(place, dict):
                    place[draw.choice(("new", "size", "backbone_args", "ranks", "labels"))] = draw.choice(VALUES)
                break
            key = draw.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and draw.random() < 0.6:
                place = place[key]
            else:
                place[key] = draw.choice(VALUES)
                break
    if draw.random() < 0.3:
        values["backbone"] = draw.choice([value for value in VALUES if isinstance(value, str)])
    text = json.dumps(values)
    if draw.random() < 0.1:
        depth = draw.choice((50, 300, 900, 2000, 100_000))
        text = text.replace("{}", "[" * depth + "]" * depth, 1)
    data = text.encode()
    return draw.choice((flip_bits, leave_out, overwrite, repeat))(data, draw) if draw.random() < 0.3 else data


def mutated_tensors(data: bytes, draw: random.Random) -> bytes:
    """A safetensors file of which the header says something else, or is damaged."""
    [length] = struct.unpack_from("<Q", data)
    header, body = data[8 : 8 + length], data[8 + length :]
    match draw.randrange(5):
        case 0:
            return draw.choice((flip_bits, leave_out, overwrite, repeat))(data, draw)
        case 1:  # the length of the header
            return struct.pack("<Q", draw.choice((0, 1, length - 1, length + 1, 10**8, 2**63, 2**64 - 1))) + data[8:]
        case 2:
            header = draw.choice((flip_bits, leave_out, overwrite, repeat))(header, draw)
        case _:
            values = json.loads(header)
            for name in draw.sample(list(values), draw.randrange(1, 4)):
                _change_entry(values, name, draw)
            header = json.dumps(values).encode()
    return struct.pack("<Q", len(header)) + header + body


def _change_entry(values: dict[str, Any], name: str, draw: random.Random) -> None:
    entry = values[name]
    match draw.randrange(6):
        case 0:
            entry["dtype"] = draw.choice(DTYPES)
        case 1:  # another type of the same width: the file stays true to itself
            same = {"F32": ("I32", "F32"), "I8": ("U8", "BOOL", "F8_E4M3", "F8_E5M2"), "I64": ("F64", "U64", "C64")}
            entry["dtype"] = draw.choice(same.get(entry.get("dtype"), DTYPES))
        case 2:
            entry["shape"] = draw.choice(([], [0], [2**63], [-1], [2**32, 2**32], [10**9] * 4, entry["shape"][::-1]))
        case 3:
            entry["data_offsets"] = draw.choice(([0, 0], [0, 2**63], [5, 1], [-1, 4], entry["data_offsets"][::-1], []))
        case 4:
            values[draw.choice(("../" + name, name + ".int8_scale", "\0", "x" * 10_000, ""))] = values.pop(name)
        case 5:
            values[name] = draw.choice(VALUES)


@dataclass
class Toll:
    """What loading many mutated folders came to."""

    loaded: int = 0
    refused: int = 0
    slowest: float = 0.0
    most_megabytes: float = 0.0
    wrong: list[str] = field(default_factory=list)


def load_mutated(source: Path, scratch: Path, first: int, count: int) -> Toll:
    """Load so many folders, each made of its number; for a process of its own, since its memory is counted."""
    toll = Toll()
    config = json.loads((source / "config.json").read_text("utf-8"))
    tensors = (source / "model.safetensors").read_bytes()
    before = most_megabytes()
    for number in range(first, first + count):
        draw = random.Random(number)
        told, data = mutated_folder(config, tensors, draw)
        (scratch / "config.json").write_bytes(told)
        (scratch / "model.safetensors").write_bytes(data)
        began = time.process_time()
        try:
            Classifier.load(scratch, device="cpu")
            toll.loaded += 1
        except FacemotionError as error:
            toll.refused += 1
            if not str(error):
                toll.wrong.append(f"{number}: an error without words")
        except BaseException as error:  # the very thing that is looked for
            toll.wrong.append(f"{number}: {type(error).__name__}: {str(error)[:300]}")
        toll.slowest = max(toll.slowest, time.process_time() - began)
    toll.most_megabytes = most_megabytes() - before
    return toll


def mutated_folder(config: dict[str, Any], tensors: bytes, draw: random.Random) -> tuple[bytes, bytes]:
    """The bytes of a config and of the tensors; forged ones come with the hash that makes them believed."""
    if draw.random() < 0.5:
        return mutated_config(config, draw), tensors
    data = mutated_tensors(tensors, draw)
    forged = config | {"files": {"model.safetensors": hashlib.sha256(data).hexdigest()}}
    return json.dumps(forged).encode(), data
