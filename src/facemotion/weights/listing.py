"""What weights there are, without fetching or loading any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from facemotion.errors import UnknownNameError
from facemotion.weights.catalogue import Catalogue, Entry, Kind, catalogue
from facemotion.weights.store import where


@dataclass(frozen=True)
class WeightsInfo:
    """A line of the catalogue.

    metrics: figures with their data, split and label rule. speed_ms: of one face, as measured by us. size: bytes.
    place: "package", "cache" or "hub", the first that has them. path: where they lie on this machine, if they do.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    backbone: str
    size: int
    speed_ms: float | None
    metrics: dict[str, Any]
    licence: str
    description: str
    place: Literal["package", "cache", "hub"]
    path: Path | None
    repo: str | None


def list_weights(
    kind: Kind | None = None, *, cache_dir: str | Path | None = None, of: Catalogue | None = None
) -> list[WeightsInfo]:
    """Every set of weights of the catalogue, or those of one kind; asks no network.

    of: another catalogue than this package's.
    """
    if kind is not None and kind not in (kinds := get_args(Kind)):
        raise UnknownNameError("kind of weights", str(kind), kinds)
    entries = (of or catalogue()).entries.values()
    return [_info(entry, cache_dir) for entry in entries if kind in (None, entry.kind)]


def _info(entry: Entry, cache_dir: str | Path | None) -> WeightsInfo:
    path = where(entry, cache_dir=cache_dir)
    inside = path is not None and entry.folder is not None and path.is_relative_to(entry.folder)
    return WeightsInfo(
        name=entry.name,
        kind=entry.kind,
        labels=entry.labels,
        backbone=entry.backbone,
        size=entry.size,
        speed_ms=entry.speed_ms,
        metrics=dict(entry.metrics),  # the catalogue is read once, and its own must stay as they are
        licence=entry.licence,
        description=entry.description,
        place="package" if inside else "cache" if path else "hub",
        path=path,
        repo=entry.repo,
    )
