"""The catalogue: every set of weights that has a name, where it lies, and what its bytes must be."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from facemotion.errors import ConfigError, UnknownNameError

Kind = Literal["emotion", "detector"]

# what is taken where nobody names any
DEFAULT_WEIGHTS = "fast-8class"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def is_sha256(text: object) -> bool:
    """Whether this is a sha256 in hexadecimal."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file_name(text: object) -> bool:
    """Whether this names a file in its own folder: no path, nothing hidden, nothing that climbs out."""
    return isinstance(text, str) and len(text) < 200 and _FILE_NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Pin:
    """What a file's bytes must be. size: None where nobody promised one."""

    sha256: str
    size: int | None = None


@dataclass(frozen=True)
class Entry:
    """One set of weights of the catalogue.

    files: what it consists of, in order; a detector has one. folder: where they travel in the package, else None.
    repo, revision: where they lie on the hub, if they do. labels, metrics, speed_ms: for `list_weights`, without
    fetching anything.
    """

    name: str
    kind: Kind
    licence: str
    files: dict[str, Pin]
    description: str = ""
    folder: Path | None = None
    repo: str | None = None
    revision: str | None = None
    backbone: str = ""
    labels: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    speed_ms: float | None = None

    def __post_init__(self) -> None:
        wrong = [name for name, pin in self.files.items() if not (is_file_name(name) and is_sha256(pin.sha256))]
        if wrong or not self.files:
            raise ConfigError(f"catalogue, {self.name}: files need plain names and a sha256 each, got {wrong}")
        if self.kind == "detector" and len(self.files) != 1:
            raise ConfigError(f"catalogue, {self.name}: a detector is one file, got {list(self.files)}")
        if self.folder is None and self.repo is None:
            raise ConfigError(f"catalogue, {self.name}: it lies nowhere: neither in the package nor on the hub")
        if self.repo is not None and not (self.revision and _REVISION.fullmatch(self.revision)):
            raise ConfigError(f"catalogue, {self.name}: expected a revision of 40 hex digits, got {self.revision!r}")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(pin.size or 0 for pin in self.files.values())


@dataclass(frozen=True)
class Catalogue:
    """The entries by name."""

    entries: Mapping[str, Entry]

    @classmethod
    def read(cls, path: Path) -> Catalogue:
        """The catalogue of a TOML file; what travels with it lies beside it, under files/."""
        values = tomllib.loads(path.read_text("utf-8"))
        entries = {name: _entry(name, each, path.parent / "files") for name, each in values["weights"].items()}
        return cls(entries)

    def names(self, kind: Kind | None = None) -> list[str]:
        return [entry.name for entry in self.entries.values() if kind in (None, entry.kind)]

    def find(self, name: str, kind: Kind | None = None) -> Entry:
        """The entry of that name; an UnknownNameError names the nearest."""
        if name in self.names(kind):
            return self.entries[name]
        hint = "A weights folder or owner/repo of the hub will do as well; `facemotion weights list` shows all."
        raise UnknownNameError("set of weights", name, self.names(kind), hint)


@cache
def catalogue() -> Catalogue:
    """The catalogue of this package."""
    return Catalogue.read(Path(__file__).parent / "weights.toml")


def _entry(name: str, values: dict[str, Any], folder: Path) -> Entry:
    given = dict(values)
    files = {file: Pin(**pin) for file, pin in given.pop("files").items()}
    inside = folder / name if given.pop("wheel", False) else None
    labels = tuple(given.pop("labels", ()))
    return Entry(name=name, files=files, folder=inside, labels=labels, **given)
