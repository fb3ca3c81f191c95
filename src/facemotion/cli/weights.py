"""`facemotion weights`: what there is, fetching and verifying it, and making weights folders."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import click

from facemotion.cli.labelled import label_set
from facemotion.cli.paths import FOLDER, SOURCE
from facemotion.cli.streams import shown_lines, tell_fault
from facemotion.errors import FacemotionError
from facemotion.labels import LabelSet
from facemotion.recipes.toml import parse_value
from facemotion.weights.catalogue import catalogue
from facemotion.weights.listing import WeightsInfo, list_weights
from facemotion.weights.store import locate, where
from facemotion.whole_files import growing


@click.group(epilog="Example: facemotion weights list")
def weights() -> None:
    """See, fetch, verify, convert and pack weights."""


@weights.command(name="list", epilog="Example: facemotion weights list")
def list_command() -> None:
    """List all weights: labels, size, speed, accuracy with its split, licence, and where each lies."""
    header = ("NAME", "LABELS", "SIZE", "MS A FACE", "ACCURACY", "LICENCE", "LIES IN")
    rows = [header, *(_row(info) for info in list_weights())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(info: WeightsInfo) -> tuple[str, ...]:
    named = LabelSet(info.labels).name if info.labels else None
    return (
        info.name,
        f"{len(info.labels)}: {named or ' '.join(info.labels)}" if info.labels else f"({info.kind})",
        _megabytes(info.size),
        f"{info.speed_ms:.1f}" if info.speed_ms is not None else "-",
        _accuracy(info),
        info.licence,
        {"package": "the package", "cache": "the cache", "hub": f"the hub: {info.repo}"}[info.place],
    )


def _accuracy(info: WeightsInfo) -> str:
    if "accuracy" not in info.metrics:
        return "-"
    where_from = " ".join(str(info.metrics[key]) for key in ("data", "split", "label_rule") if info.metrics.get(key))
    return f"{info.metrics['accuracy']:.1%} {where_from}".strip()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@weights.command(epilog="Example: facemotion weights show yunet")
@click.argument("name")
def show(name: str) -> None:
    """Show all that is known of weights: a name of the list, a weights folder, or owner/repo of the hub."""
    if name in catalogue().entries:
        [info] = [each for each in list_weights() if each.name == name]
        entry = catalogue().entries[name]
        rows = {
            "name": info.name,
            "what": info.description or info.kind,
            "licence": info.licence,
            "size": _megabytes(info.size),
            "lies in": str(info.path or f"the hub: {info.repo}@{entry.revision}"),
        }
        if info.labels:
            rows |= {"labels": ", ".join(info.labels), "accuracy": _accuracy(info)}
        rows |= {f"sha256 of {file}": pin.sha256 for file, pin in entry.files.items()}
        for key, value in rows.items():
            click.echo(f"{key}: {value}")
        if info.kind == "detector" or info.path is None:
            return
    from facemotion.weights.card import card
    from facemotion.weights.folder import read_config
    from facemotion.weights.sources import resolve

    found = resolve(name)
    about = card(read_config(found.folder), name).partition("---\n\n")[2].rpartition("\n## Use\n")[0]
    click.echo(shown_lines(about.strip()))  # words of strangers


@weights.command(epilog="Example: facemotion weights fetch yunet --to usb-stick")
@click.argument("name")
@click.option(
    "--to",
    "target",
    type=FOLDER,
    help="Put them there too, for a machine without a network.",
)
def fetch(name: str, target: Path | None) -> None:
    """Fetch weights into the cache and verify them. Says where they lie, and how a copy (--to) is used."""
    from facemotion.weights.sources import resolve

    entry = catalogue().entries.get(name)
    if entry is None:
        click.echo(f"fetching {name}, unless it is here", err=True)
    elif entry.repo and where(entry, cache_dir=target if entry.kind == "detector" else None) is None:
        click.echo(f"fetching {name}, {_megabytes(entry.size)}, from {entry.repo}", err=True)
    if entry is not None and entry.kind == "detector":
        # a detector is found by its name, so its copy is a cache of its own, which can be carried as it is
        path = locate(entry, cache_dir=target)
        click.echo(str(path))
        if target is not None and entry.repo is None:
            click.echo(f"{name} travels in the package: the other machine has it already", err=True)
        elif target is not None:
            click.echo(f"On the other machine: export HF_HUB_CACHE=/path/to/{target.name}", err=True)
        return
    found = resolve(name)
    if target is None:
        click.echo(str(found.folder))
        return
    from facemotion.weights.folder import keep_other_readme, read_folder
    from facemotion.weights.spec import CARD, CONFIG, MODEL

    read_folder(found.folder, found.pins)
    try:
        _new(target, same_as=found.folder)
        has_card = (found.folder / CARD).is_file()  # a repository's card is not fetched with its weights
        if has_card:
            keep_other_readme(target, (found.folder / CARD).read_bytes())
        target.mkdir(parents=True, exist_ok=True)
        # the config last: without it a folder is none of weights
        for file in (MODEL, CARD, CONFIG) if has_card else (MODEL, CONFIG):
            with growing(target / file) as part:
                shutil.copyfile(found.folder / file, part)
    except OSError as error:
        raise FacemotionError(f"{target} can't be written: {error.strerror or error}") from error
    click.echo(str(target))
    click.echo(f"On the other machine the folder is the name: --weights /path/to/{target.name}", err=True)


@weights.command(epilog="Example: facemotion weights verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> int:
    """Check every byte of the named weights, or of all that are on this machine. Exits 1 where one is damaged."""
    damaged = 0
    for name in names or tuple(name for name, entry in catalogue().entries.items() if where(entry)):
        try:
            click.echo(f"{name}: as promised, in {_verify(name)}")
        except FacemotionError as error:
            damaged += 1
            tell_fault(error, str(error))
    return 1 if damaged else 0


def _verify(name: str) -> Path:
    if name in catalogue().entries:
        return locate(name, local_files_only=True)
    from facemotion.weights.folder import read_folder
    from facemotion.weights.sources import resolve

    found = resolve(name, local_files_only=True)
    read_folder(found.folder, found.pins)
    return found.folder


@weights.command(epilog="Example: facemotion weights convert my.pth --backbone resnet18 --labels fer7 --input size=64")
@click.argument("file", type=SOURCE)
@click.option("--backbone", required=True, help="One of `facemotion doctor`'s list, or torchvision:NAME.")
@click.option("--labels", required=True, help="A known set (fer7 ...), or your labels in their order: happy,sad,...")
@click.option("--input", "inputs", multiple=True, metavar="KEY=VALUE", help="size, colour, margin, align, mean, std.")
@click.option("--hidden", help="Widths of the head's hidden layers, 512,128; the backbone's own unless given.")
@click.option("--out", type=FOLDER, help="The folder; FILE's name unless given.")
@click.option("--licence", default="", help="The licence of these weights, as their card tells it.")
def convert(
    file: Path, backbone: str, labels: str, inputs: tuple[str, ...], hidden: str | None, out: Path | None, licence: str
) -> None:
    """Turn your own state dict (.pth) into a weights folder. Nothing but tensors is read from it."""
    from facemotion.backbones.network import plan_network
    from facemotion.backbones.state_dict import network_from_file
    from facemotion.classifier import save_network
    from facemotion.inputs import InputSpec
    from facemotion.weights.spec import Head

    wanted = label_set(labels)
    try:
        given = {key: parse_value(value) for key, _, value in (each.partition("=") for each in inputs)}
        if given.get("colour") == "rgb":
            given = {"mean": (0.5,) * 3, "std": (0.5,) * 3} | given
        spec = InputSpec.from_dict(given)
        head = None if hidden is None else Head(tuple(int(width) for width in hidden.split(",") if width))
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"--input or --hidden: {error}") from error
    config = plan_network(backbone, wanted, spec, head=head)
    config = dataclasses.replace(config, licence=licence, description=f"Converted from {file.name}.")
    if out is None and not file.suffix:
        raise click.UsageError(f"{file} has no suffix to leave out: name the folder with --out")
    target = _new(out or file.with_suffix(""))
    save_network(network_from_file(file, config), config, target)
    click.echo(str(target))


def _new(folder: Path, same_as: Path | None = None) -> Path:
    """The folder, unless weights would be overwritten there, other ones than those of the folder `same_as`."""
    from facemotion.weights.spec import CONFIG, MODEL

    # tensors alone are somebody's too, or of a copy that was stopped before its config came
    name = next((name for name in (CONFIG, MODEL) if (folder / name).exists()), None)
    if name and (same_as is None or (folder / name).read_bytes() != (same_as / name).read_bytes()):
        raise FacemotionError(f"{folder} holds weights already: name another folder")
    return folder


@weights.command(epilog="Example: facemotion weights pack runs/best small --rank 128")
@click.argument("source", metavar="IN")
@click.argument("out", type=FOLDER)
@click.option("--rank", type=click.IntRange(min=1), help="Big linear layers become two thin ones of this width.")
def pack(source: str, out: Path, rank: int | None) -> None:
    """Make weights smaller: int8, and big linear layers through a narrow middle. Says what that cost.

    They are compared on noise, since no data is at hand here: evaluate them on yours before use.
    """
    from facemotion.classifier import Classifier
    from facemotion.weights.card import packing_line
    from facemotion.weights.spec import MODEL

    config = Classifier.load(source).packed(rank).save(_new(out))
    size = (out / MODEL).stat().st_size
    click.echo(f"{out}: {_megabytes(size)}, {packing_line(config)}")
