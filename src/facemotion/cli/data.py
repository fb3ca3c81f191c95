"""`facemotion data`: prepare faces for a training, and inspect a data set before it costs one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facemotion.cli.labelled import label_set, refuse_within
from facemotion.cli.paths import FOLDER, SOURCE
from facemotion.cli.progress import Progress
from facemotion.cli.streams import shown_lines
from facemotion.errors import DataError, FacemotionError
from facemotion.file_names import safe_name, shared_name

if TYPE_CHECKING:
    from facemotion.data.prepare import Photos, Preparation
    from facemotion.data.samples import Samples
    from facemotion.detectors.detector import FaceDetector
    from facemotion.results import Pixels

_FORMATS = click.Choice(["folders", "fer2013", "csv", "npy", "pack"])
_RULES = click.Choice(["majority", "plurality", "all", "soft"])
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
_SHOWN = 10
# what `inspect` writes, beside a sheet a class
_AUDIT, _CHART = "audit.json", "classes.png"


class _Range(click.FloatRange):
    """Numbers in a range; `nan` is in none, though no bound keeps it out, and without an upper one `inf` would be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


@click.group(epilog="Example: facemotion data inspect fer2013.csv")
def data() -> None:
    """Look into data sets of faces, and prepare them for a training."""


def _reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `read_data`."""
    options: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
        click.option("--skip-bad", is_flag=True, help="Leave bad samples out and list them, instead of stopping."),
        click.option("--label-rule", type=_RULES, help="Labels by the FER+ votes beside the faces."),
        click.option("--labels", metavar="NAME|A,B,C", help="A known label set, or the labels in their order."),
        click.option("--split", metavar="NAME", help="One split alone: train, val, test, or the data's own name."),
        click.option("--format", type=_FORMATS, help="The layout, where it can't be told by looking."),
    )
    for option in options:
        command = option(command)
    return command


@data.command(
    short_help="Find a data set's faults before a training.",
    epilog="Example: facemotion data inspect fer2013.csv --out audit/",
)
@click.argument("source", type=SOURCE)
@_reading_options
@_AS_JSON
@click.option("--out", type=FOLDER, help="Folder for a chart and contact sheets.")
def inspect(source: Path, as_json: bool, out: Path | None, skip_bad: bool, **reading: str | None) -> None:
    """Count classes, and find blank and unreadable pictures, copies across splits, and labels that disagree."""
    from facemotion.data.audit import inspect as audit_of
    from facemotion.data.audit_text import describe

    if out is not None:
        refuse_within(out, source)
        _refuse_to_replace(out)
    samples = _read(source, skip_bad, **reading)
    with Progress() as progress:
        audit = audit_of(samples, skip_bad=skip_bad, progress=progress)
    click.echo(json.dumps(audit.to_dict(), indent=2) if as_json else shown_lines(describe(audit)))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        # first: it is what tells that the pictures are ours
        (out / _AUDIT).write_text(json.dumps(audit.to_dict(), indent=2) + "\n", "utf-8")
        _draw(audit.samples, audit.counts, out)
        click.echo(f"a chart and contact sheets are in {out}", err=True)


def _refuse_to_replace(out: Path) -> None:
    """An error where files that would be written are there already, and no earlier audit is."""
    found = sorted(path.name for name in (_AUDIT, _CHART, "sheet-*.png") for path in out.glob(name))
    try:
        earlier = json.loads((out / _AUDIT).read_text("utf-8"))
        ours = isinstance(earlier, dict) and {"total", "counts", "copies"} <= earlier.keys()
    except (OSError, ValueError):
        ours = False
    if found and not ours:
        raise FacemotionError(f"{out} holds {', '.join(found)}, which `inspect` did not write: name another folder")


def _draw(samples: Samples, counts: dict[str, dict[str, int]], out: Path) -> None:
    from facemotion.data.sheets import bar_chart, contact_sheet
    from facemotion.images import write_png

    write_png(out / _CHART, bar_chart(counts))
    numbered = shared_name(samples.labels) is not None
    for index, label in enumerate(samples.labels):
        part = samples.subset(samples.targets == index)
        if len(part):
            name = f"{index}-{safe_name(label)}" if numbered else safe_name(label)
            write_png(out / f"sheet-{name}.png", contact_sheet(part, label))


@data.command(
    short_help="Write faces in one size, from any layout or photos.",
    epilog="Example: facemotion data prepare photos/ faces/ --detector auto --as pack",
)
@click.argument("source", type=SOURCE)
@click.argument("out", type=FOLDER)
@_reading_options
@click.option(
    "--as",
    "layout",
    type=click.Choice(["folders", "npy", "pack"]),
    default="folders",
    show_default=True,
    help="PNGs in class folders, X_ and y_ .npy files a split, or one file that opens at once.",
)
@click.option("--size", type=click.IntRange(8, 1024), default=48, show_default=True, help="Side in pixels.")
@click.option("--colour", type=click.Choice(["grey", "rgb"]), default="grey", show_default=True)
@click.option("--detector", metavar="NAME", help="Find the faces in photos and clips; `auto` is the usual one.")
@click.option(
    "--margin",
    type=_Range(-0.4, 2),
    default=0.0,
    show_default=True,
    help="Around a found face, as a share of it.",
)
@click.option("--align", is_flag=True, help="Turn found faces upright by their landmarks.")
@click.option(
    "--several",
    type=click.Choice(["largest", "all", "skip"]),
    default="largest",
    show_default=True,
    help="What is kept of a picture with several faces.",
)
@click.option("--every", type=_Range(min=0), default=1.0, show_default=True, help="Seconds between frames.")
@click.option(
    "--val-share",
    type=_Range(0, 1, min_open=True, max_open=True),
    help="Put this share of the training part aside, as the split val.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of what is put aside.")
@_AS_JSON
def prepare(
    source: Path,
    out: Path,
    layout: Any,
    size: int,
    colour: Any,
    detector: str | None,
    margin: float,
    align: bool,
    several: Any,
    every: float,
    val_share: float | None,
    seed: int,
    as_json: bool,
    skip_bad: bool,
    **reading: str | None,
) -> int:
    """Write the faces of SOURCE into the folder OUT, in one size and colour; run again it goes on where it stopped."""
    from facemotion.data.prepare import prepare as write_faces
    from facemotion.inputs import InputSpec

    found: Samples | Photos
    finder: FaceDetector | None = None
    if detector is None:
        samples = _read(source, skip_bad, **reading)
        found = samples if val_share is None else _divide(samples, val_share, seed)
    elif val_share is not None:
        raise click.UsageError("--val-share splits faces, not photos: prepare them first, then prepare the result")
    else:
        from facemotion.detectors.detector import FaceDetector

        found, finder = _photos(source, skip_bad, **reading), FaceDetector(detector)
    faults = [str(fault) for fault in found.faults]
    channels = 1 if colour == "grey" else 3
    spec = InputSpec(size, colour, margin, align, (0.5,) * channels, (0.5,) * channels)
    with Progress() as progress:
        done = write_faces(
            found,
            out,
            layout=layout,
            spec=spec,
            detect=None if finder is None else finder.detect,
            detector=None if finder is None else finder.name,
            read_clip=_frames,
            several=several,
            every=every,
            progress=progress,
        )
    told = done.to_dict() | {"faults": faults}
    click.echo(json.dumps(told, indent=2) if as_json else shown_lines(_describe(done, faults)))
    return 1 if done.unreadable and not skip_bad else 0


def _divide(samples: Samples, val_share: float, seed: int) -> Samples:
    """The samples with their training part divided into train and val; the data's other splits stay as they are."""
    from facemotion.data.parts import own_split
    from facemotion.data.splits import split_samples

    names = list(samples.split_counts())
    if len(names) < 2:
        divided = split_samples(samples, val_share, seed)
    elif own := own_split(samples, "val"):
        wanted = "leave the option out, or name with --split the part to divide"
        raise click.UsageError(f"--val-share: the data has a validation split already, {own}: {wanted}")
    else:
        # where others are marked, the faces without a split are the training part
        training = samples.splits == (own_split(samples, "train") or "")
        if not training.any():
            found = ", ".join(names)
            raise click.UsageError(f"--val-share: which of {found} is the training part? Name it with --split")
        splits = samples.splits.astype(object)
        splits[training] = split_samples(samples.subset(training), val_share, seed).splits
        divided = samples.with_splits(splits)
    if "val" not in divided.split_counts():
        wanted = "more faces that are no copies of each other"
        raise DataError("nothing could be put aside", samples.source, wanted, f"{len(samples)}")
    return divided


def _read(
    source: Path, skip_bad: bool, format: str | None, split: str | None, labels: str | None, label_rule: str | None
) -> Samples:
    from facemotion.data.reading import read_data

    wanted = None if labels is None else label_set(labels)
    return read_data(source, format=format, split=split, labels=wanted, label_rule=label_rule, skip_bad=skip_bad)


def _photos(
    source: Path, skip_bad: bool, format: str | None, split: str | None, labels: str | None, label_rule: str | None
) -> Samples | Photos:
    """What a detector is to look at: a table of paths, else folders of photos and clips."""
    from facemotion.data.prepare import find_photos
    from facemotion.data.table import holds_paths

    if format not in (None, "folders") or holds_paths(source):
        return _read(source, skip_bad, format, split, labels, label_rule)
    if split is not None or label_rule is not None:
        raise click.UsageError("--split and --label-rule are for data sets, not for folders of photos")
    return find_photos(source, labels=None if labels is None else label_set(labels), skip_bad=skip_bad)


def _frames(path: Path) -> Iterator[tuple[float, Pixels]]:
    from facemotion.video.frames import read_frames

    return ((frame.time, frame.image) for frame in read_frames(path))


def _describe(done: Preparation, faults: list[str]) -> str:
    lines = [f"{done.out}: {done.faces:,} faces of {done.pictures:,} pictures and clips"]
    if done.done_before:
        lines.append(f"{done.done_before:,} of them were done before")
    lists = {"no face": done.no_face, "several faces": done.several, "could not be read": done.unreadable}
    for title, places in (lists | {"left out": faults}).items():
        if places:
            lines.append(f"{title}: {len(places):,}")
            lines += [f"  {place}" for place in places[:_SHOWN]]
            lines += ["  ..."] if len(places) > _SHOWN else []
    return "\n".join(lines)
