"""`predict_dataset`: everything in a source through a recognizer, into tables that can be gone on with at any time."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Literal

from facemotion.detectors.detector import FaceDetector, automatic
from facemotion.devices import resolve_device
from facemotion.errors import DataError
from facemotion.file_names import at_home, working_folder
from facemotion.scale.arrow import pyarrow
from facemotion.scale.engines import run_here, run_on_ray
from facemotion.scale.job import Format, Job, Layout, check_identity, fingerprint
from facemotion.scale.outcome import Outcome, Progress, Watch
from facemotion.scale.places import Place, is_url, without_tilde
from facemotion.scale.plan import Extent, make_parts, write_manifest
from facemotion.scale.sources import find_inputs
from facemotion.scale.writing import count_rows
from facemotion.weights.catalogue import DEFAULT_WEIGHTS
from facemotion.weights.folder import read_config
from facemotion.weights.sources import resolve
from facemotion.weights.spec import CONFIG

logger = logging.getLogger(__name__)


def predict_dataset(
    source: str | os.PathLike[str] | Iterable[str],
    out: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] = DEFAULT_WEIGHTS,
    detector: str = "auto",
    device: str = "auto",
    batch_size: int = 32,
    engine: Literal["ray", "local"] = "ray",
    format: Format = "parquet",
    column: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    gpus: float = 0.0,
    smooth: float = 0.15,
    part_size: int = 256,
    segment_seconds: float = 60.0,
    retries: int = 2,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """The emotions of every face in any number of pictures and clips, as tables in the folder `out`.

    `faces/` has the rows of `predict --csv`, `frames/` those of `video --csv` behind the clip they are of, `errors/`
    what could not be done and why. Every input is in one of faces and frames, or in errors, and never in two. What is
    written is not done again: the same call goes on where another one was stopped or killed.

    source: a folder, a pattern, a list (.txt, a path a line), a Parquet file with a column of paths or a folder of
    nothing else, one file, or an iterable of paths; all but patterns also as s3://, gs:// or hdfs://, which `out` may
    be too.
    weights, detector, device, smooth: as for an EmotionRecognizer; `detector="whole"` for pictures that are faces.
    batch_size: pictures that are looked at together. column: of paths, in a Parquet source.
    engine: "ray" for the workers of a cluster, or those of this machine; "local" for this process alone, without Ray.
    workers: at most so many, as many as there are processors unless given. threads: of each worker, 1 on Ray unless
    given, and all that there are with engine="local". gpus: of each worker, also a share of one. On this
    machine a worker can't have more of both than there are.
    part_size: pictures in a part, segment_seconds: of a clip in a part, which is what is done and written at a time.
    retries: how often what failed is tried again before it is an error. progress: is told after each part.
    """
    _check_counts(1, batch_size=batch_size, part_size=part_size, workers=workers, threads=threads)
    _check_counts(0, retries=retries)
    if not segment_seconds > 0:
        raise ValueError(f"segment_seconds: expected a number above 0, got {segment_seconds!r}")
    if not smooth >= 0:
        raise ValueError(f"smooth: expected seconds, 0 or more, got {smooth!r}")
    if engine not in ("ray", "local") or format not in ("parquet", "csv"):
        raise ValueError(f"expected engine 'ray' or 'local' and format 'parquet' or 'csv', got {engine!r}, {format!r}")
    job = _job(out, weights, detector, device, batch_size, smooth, format, retries, threads)
    layout = job.layout
    if isinstance(source, str | os.PathLike) and layout.root.is_same(Place.of(without_tilde(os.fspath(source)))):
        raise DataError("the source can't take the results, too", job.out, "another folder for them")
    with tempfile.TemporaryFile() as manifest:
        try:
            parts = make_parts(find_inputs(source, column), part_size, segment_seconds)
            extent = write_manifest(parts, manifest)
        except (UnicodeError, pyarrow.ArrowException) as error:
            what = "can't be read, or names a file by what no table can hold"
            raise DataError(what, str(source), "Parquet, and names in UTF-8", str(error).splitlines()[0]) from error
        except PermissionError as error:
            raise DataError("it can't be read", error.filename or str(source), got=error.strerror) from error
        if not extent.inputs:
            raise DataError("there is no picture and no clip in it", str(source))
        _begin(layout, job.identity(extent.digest, part_size, segment_seconds), extent, manifest)
    written = layout.done()
    missing = [number for number, table in enumerate(extent.tables) if table not in written]
    done = len(extent.images) - len(missing)
    logger.info("%d inputs in %d parts, %d of them done before", extent.inputs, len(extent.images), done)
    total = sum(extent.images)
    watch = Watch(total, total - sum(extent.images[number] for number in missing), progress)
    redone = 0
    if missing:
        for each in run_here(job, missing) if engine == "local" else run_on_ray(job, missing, workers, gpus):
            redone += max(each.starts - 1, 0)
            watch.add(extent.images[each.number])
    layout.clean()
    errors = count_rows(layout.root / "errors", format)
    outcome = Outcome(job.out, extent.inputs, errors, len(extent.images), done, redone, watch.seconds)
    logger.info("%s", outcome)
    return outcome


def _check_counts(least: int, **counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and (not isinstance(count, int) or count < least):
            raise ValueError(f"{name}: expected {least} or more, a whole number, got {count!r}")


def _job(
    out: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    detector: str,
    device: str,
    batch_size: int,
    smooth: float,
    form: Format,
    retries: int,
    threads: int | None,
) -> Job:
    """The settings, checked before any work begins, and free of what only this process knows."""
    folder = str(working_folder())
    found = resolve(weights)
    config = read_config(found.folder, (found.pins or {}).get(CONFIG))
    detector = automatic() if detector == "auto" else detector
    FaceDetector(detector)
    if device != "auto":
        resolve_device(device)
    place, name = without_tilde(os.fspath(out)), os.fspath(weights)
    return Job(
        out=place if is_url(place) else str(Path(place).absolute()),
        weights=str(found.folder.absolute()) if at_home(name).is_dir() else name,
        fingerprint=fingerprint(config),
        labels=config.labels,
        detector=detector,
        device=device,
        batch_size=batch_size,
        smooth=smooth,
        format=form,
        retries=retries,
        threads=threads,
        folder=folder,
    )


def _begin(layout: Layout, identity: dict[str, Any], extent: Extent, manifest: BinaryIO) -> None:
    """Begin a run in the folder, or go on with the one that was begun there, if it is the same."""
    if check_identity(layout, identity):
        return
    if (layout.root / "faces").exists() or (layout.root / "frames").exists():
        raise DataError("there are tables without a run that they are of", layout.root.path, "an empty folder")
    manifest.seek(0)
    with layout.manifest.growing() as file:
        while block := manifest.read(1 << 20):
            file.write(block)
    # last, since from here on a run has begun
    layout.run.write(json.dumps({**identity, "size": {"inputs": extent.inputs, "parts": len(extent.images)}}).encode())
