"""A weights folder: config.json, model.safetensors, README.md. Read only after its bytes were verified."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
from collections.abc import Mapping
from pathlib import Path

from facemotion.errors import ChecksumError, ConfigError, WeightsError
from facemotion.version import __version__
from facemotion.weights.card import card, is_card
from facemotion.weights.catalogue import Pin
from facemotion.weights.spec import CARD, CONFIG, MODEL, NO_PICKLES, PICKLES, WeightsConfig
from facemotion.whole_files import write_together

LARGEST_CONFIG = 1 << 20
# twice what the largest network of torchvision needs
_LARGEST_TENSORS = 1 << 32


def read_config(folder: Path, pin: Pin | None = None) -> WeightsConfig:
    """What a folder says of itself, checked; against a sha256 too, where somebody has promised one."""
    path = folder / CONFIG
    if not path.is_file():
        raise ConfigError(_not_a_folder_of_weights(folder))
    with path.open("rb") as file:
        data = file.read(LARGEST_CONFIG + 1)
    if len(data) > LARGEST_CONFIG:
        raise ConfigError(f"{path}: expected at most {LARGEST_CONFIG} bytes, got more")
    if pin is not None:
        _check(path, data, pin)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text in UTF-8: {error}") from error
    return WeightsConfig.from_json(text, str(path))


def read_folder(folder: Path, pins: Mapping[str, Pin] | None = None) -> tuple[WeightsConfig, bytes]:
    """A folder's config and the bytes of its tensors, which are the very bytes that were verified.

    pins: what the catalogue promises; without them the folder's own config.json is believed, which finds damage but
    no forgery.
    """
    config = read_config(folder, (pins or {}).get(CONFIG))
    pin = (pins or config.pins).get(MODEL)
    if pin is None:
        raise ConfigError(f"{folder / CONFIG}: files: expected the sha256 of {MODEL}, got {sorted(config.files)}")
    path = folder / MODEL
    try:
        data = _read_tensors(path, _LARGEST_TENSORS if pin.size is None else pin.size)
    except OSError as error:
        raise WeightsError(f"{path}: the tensors can't be read: {error.strerror}") from error
    _check(path, data, pin)
    return config, data


def _read_tensors(path: Path, most: int) -> bytes:
    """The file's bytes, if they are no more than that: asked before memory is taken."""
    if path.exists() and not path.is_file():
        raise WeightsError(f"{path}: the tensors can't be read: it is no regular file")
    size = path.stat().st_size
    if size > most:
        raise ChecksumError(f"{path}: expected at most {most} bytes, got {size}; nothing of it was used")
    with path.open("rb") as file:
        return file.read(most + 1)


def write_folder(folder: Path, config: WeightsConfig, tensors: bytes, name: str | None = None) -> WeightsConfig:
    """Write a weights folder; each file appears whole or not at all, the config last. Gives the config as written."""
    # the card is for people, who may edit it: it is not pinned
    files = {MODEL: hashlib.sha256(tensors).hexdigest()}
    config = dataclasses.replace(config, files=files, facemotion_version=__version__)
    contents = {
        MODEL: tensors,
        # a folder's name may be no UTF-8
        CARD: card(config, name or folder.resolve().name).encode(errors="backslashreplace"),
        CONFIG: config.to_json().encode(),
    }
    WeightsConfig.from_json(config.to_json(), str(folder / CONFIG))  # what can't be read again is not written
    try:
        keep_other_readme(folder, contents[CARD])
        _keep_other_weights(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for file in contents:
            if (folder / file).is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{file} is a folder")
        write_together(folder, contents)
    except OSError as error:
        raise WeightsError(f"{folder}: the weights can't be written: {error.strerror or error}") from error
    return config


def keep_other_readme(folder: Path, new: bytes) -> None:
    """A WeightsError where a card would take the place of a README.md that is none: people write those by hand."""
    path = folder / CARD
    if not path.is_file():
        return
    there = path.read_bytes()
    if there != new and not is_card(there.decode("utf-8", "replace")):
        raise WeightsError(f"{path} is no card of weights and would be lost: name another folder, or move it away")


def _keep_other_weights(folder: Path) -> None:
    """A WeightsError where files of these names are another library's. Ours have a config, or at least a card."""
    try:
        if (folder / CONFIG).exists():
            read_config(folder)
        elif (folder / MODEL).exists() and not (folder / CARD).exists():
            raise ConfigError(f"{folder / MODEL} has no {CONFIG} beside it")
    except ConfigError as error:
        lost = f"{folder} holds what would be lost ({error}): name another folder, or move it away"
        raise WeightsError(lost) from None


def _check(path: Path, data: bytes, pin: Pin) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != pin.sha256:
        raise ChecksumError(
            f"{path}: expected sha256 {pin.sha256}, got {found}. The file is damaged or was changed; nothing of it was "
            "used, nothing was deleted. Move it away: what came from the hub is fetched anew by the same command, any "
            "other folder has to be brought again, or written again with save_pretrained"
        )


def _not_a_folder_of_weights(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: no such folder; expected one with {CONFIG} and {MODEL}"
    there = sorted(path.name for path in folder.iterdir())
    hint = f"; {NO_PICKLES}" if any(name.endswith(PICKLES) for name in there) else ""
    if (folder / "best" / CONFIG).is_file():
        hint = f"; this is the folder of a training, whose weights are {folder / 'best'}"
    return f"{folder}: expected {CONFIG} and {MODEL}, got {', '.join(there[:8]) or 'an empty folder'}{hint}"
