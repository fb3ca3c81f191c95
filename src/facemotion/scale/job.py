"""What every worker of a run has to know, and where in the output folder it finds and leaves things."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from facemotion.errors import DataError
from facemotion.scale.places import Place, is_url
from facemotion.version import __version__
from facemotion.weights.spec import WeightsConfig
from facemotion.whole_files import UNFINISHED

Format: TypeAlias = Literal["parquet", "csv"]

_WORK = ".work"
_TABLES = ("faces", "frames", "errors")


@dataclass(frozen=True)
class Job:
    """The settings of a run. fingerprint: of the weights; threads: of one worker, None for all that there are.
    folder: where it was called, from which the names of inputs start; a worker may stand in another one.

    Nothing in it is bound to this machine or process.
    """

    out: str
    weights: str
    fingerprint: str
    labels: tuple[str, ...]
    detector: str
    device: str
    batch_size: int
    smooth: float
    format: Format
    retries: int
    threads: int | None
    folder: str

    @property
    def layout(self) -> Layout:
        return Layout(Place.of(self.out), self.format)

    def path(self, name: str) -> str:
        """Where an input is opened, whose name is as it was given; an address as it is."""
        return name if is_url(name) else str(Path(self.folder, name))

    def identity(self, digest: str, part_size: int, segment_seconds: float) -> dict[str, Any]:
        """What has to be the same for a run to go on where another one stopped."""
        return {
            "version": __version__,
            "weights": self.fingerprint,
            "labels": list(self.labels),
            "detector": self.detector,
            "batch_size": self.batch_size,
            "smooth": self.smooth,
            "format": self.format,
            # told before the inputs, of whose division into parts the digest is
            "part_size": part_size,
            "segment_seconds": segment_seconds,
            "inputs": digest,
        }


def fingerprint(config: WeightsConfig) -> str:
    """The same for the same network, preprocessing and labels: config.json holds the hash of the tensors."""
    return hashlib.sha256(config.to_json().encode()).hexdigest()


@dataclass(frozen=True)
class Layout:
    """The files of an output folder."""

    root: Place
    format: Format

    @property
    def run(self) -> Place:
        return self.root / "run.json"

    @property
    def manifest(self) -> Place:
        return self.root / "manifest.parquet"

    @property
    def work(self) -> Place:
        """What is needed until the run has ended."""
        return self.root / _WORK

    def faces(self, number: int) -> Place:
        """The faces of a part of pictures: that part is done once it is there."""
        return self._table("faces", number)

    def frames(self, number: int) -> Place:
        """The frames of a clip, by the number of its first part."""
        return self._table("frames", number)

    def errors(self, number: int) -> Place:
        return self._table("errors", number)

    def segment(self, number: int) -> Place:
        """What was seen in a span of a clip."""
        return self.work / f"segments/{number:07}.parquet"

    def note(self, number: int) -> Place:
        """How often a part was begun."""
        return self.work / f"starts/{number:07}.json"

    def clip_done(self, number: int) -> bool:
        """Whether the clip whose first part this is stands in one of the tables."""
        return self.frames(number).exists() or self.errors(number).exists()

    def done(self) -> set[int]:
        """The parts that are written. Of a clip it is the first one, as its tables are named after that."""
        faces, frames, errors = (self._numbers(name) for name in _TABLES)
        # a part of pictures writes its errors before its faces
        return faces | frames | {number for number in errors if not self.note(number).exists()}

    def clean(self) -> None:
        """Remove what a run needed only until its end, and what workers that were killed left half written."""
        self.work.delete()
        for table in _TABLES:
            for name, _ in (self.root / table).names():
                if name.endswith(UNFINISHED):
                    (self.root / table / name).delete()

    def _table(self, name: str, number: int) -> Place:
        return self.root / name / f"part-{number:07}.{self.format}"

    def _numbers(self, table: str) -> set[int]:
        names = (name for name, _ in (self.root / table).names() if name.startswith("part-"))
        return {int(name.removeprefix("part-").split(".")[0]) for name in names}


def check_identity(layout: Layout, wanted: dict[str, Any]) -> bool:
    """Whether a run was begun there already; a DataError where it was one of other inputs or settings."""
    if not layout.run.exists():
        return False
    try:
        began = json.loads(layout.run.read())
    except ValueError as error:
        raise DataError("the run's settings can't be read", layout.run.path, "JSON", str(error)) from error
    if not isinstance(began, dict) or "version" not in began:
        raise DataError("this file is not of a run of ours; name another folder", layout.run.path)
    for key, value in wanted.items():
        if began.get(key) != value:
            what = f"a run with other {key} was begun there; name another folder, or go on as it was begun"
            raise DataError(what, layout.root.path, repr(began.get(key)), repr(value))
    return True
