"""`facemotion train`: one command trains any network of a recipe, and goes on where it was stopped."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facemotion.cli.labelled import refuse_within
from facemotion.cli.paths import FOLDER, SOURCE

if TYPE_CHECKING:
    from facemotion.training.history import History
    from facemotion.training.progress import Progress


@click.command(epilog="Example: facemotion train fer2013.csv --recipe fast-7class --out runs/fast")
@click.argument("data", type=SOURCE)
@click.option("--recipe", required=True, metavar="NAME|FILE", help="A recipe of the package, or your own TOML file.")
@click.option("--out", required=True, type=FOLDER, help="The training folder.")
@click.option("--val", type=SOURCE, help="Data to choose the epoch on, where DATA has none.")
@click.option("--split", help="Train on this split of DATA alone.")
@click.option("--val-split", help="Choose on this split of the validation data.")
@click.option("--label-rule", help="Labels by the FER+ votes: majority, plurality, all or soft.")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe: optimizer.lr=0.01"
)
@click.option("--fresh", is_flag=True, help="Start over; an earlier training in --out is moved aside.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps ...", show_default=True)
def train(
    data: Path,
    recipe: str,
    out: Path,
    val: Path | None,
    split: str | None,
    val_split: str | None,
    label_rule: str | None,
    changes: tuple[str, ...],
    fresh: bool,
    device: str,
) -> None:
    """Train the network of a recipe on DATA. The same command again goes on where it was stopped.

    FER-2013 is trained on Training and the epoch chosen on PublicTest, unless told otherwise.
    """
    from facemotion.recipes.recipe import Recipe

    # of several processes (torchrun) the first one speaks for all
    first = os.environ.get("RANK", "0") == "0"
    if not first:
        logging.getLogger("facemotion").setLevel(logging.ERROR)
    overrides = dict(_pair(change) for change in changes)
    if label_rule:
        overrides["label_rule"] = label_rule
    refuse_within(out, data, val)
    wanted = Recipe.load(recipe).override(overrides)

    # torch takes seconds to import: what is wrong so far is said before
    import numpy as np

    from facemotion.data.parts import as_one_split, own_split
    from facemotion.training.trainer import Trainer

    trainer = Trainer(wanted, out=out, device=device)
    training = trainer.read(data, split)
    validation = trainer.read(val or data, val_split) if val or val_split else None
    if val_split and not (val or split):  # whatever the others are called, what chooses is no training data
        chosen = list(training.select(val_split).split_counts())
        training = training.subset(~np.isin(training.splits, chosen))
        if not any(own_split(training, name) for name in ("train", "val", "test")):
            training = as_one_split(training)
    with _Line(silent=not first) as line:
        history = trainer.fit(training, validation, resume="never" if fresh else "auto", progress=line)
    if first:
        click.echo(_summary(history, out))


def _pair(change: str) -> tuple[str, str]:
    key, equals, value = change.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"expected KEY=VALUE, got {change!r}", param_hint="--set")
    return key.strip(), value.strip()


class _Line:
    """One line that is written over on a terminal; elsewhere a plain line at the end of each epoch."""

    def __init__(self, silent: bool) -> None:
        self._silent, self._terminal = silent, sys.stderr.isatty()
        self._shown = float("-inf")

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *error: object) -> None:
        if self._terminal and self._shown > 0:
            click.echo(err=True)

    def __call__(self, now: Progress) -> None:
        if self._silent or (not now.judged and (not self._terminal or time.monotonic() - self._shown < 0.1)):
            return
        self._shown = time.monotonic()
        left = (now.total * (now.epochs - now.epoch + 1) - now.faces) / max(now.faces_per_second, 1e-9)
        parts = [f"epoch {now.epoch}/{now.epochs}", f"loss {now.loss:.3f}", f"accuracy {now.accuracy:.1%}"]
        parts += [] if now.validation is None else [f"validation {now.validation:.1%}"]
        parts += [f"{now.faces_per_second:,.0f} faces/s", f"{_clock(left)} left"]
        if not self._terminal:
            click.echo("  ".join(parts), err=True)
            return
        # a line that is wider than the terminal can't be written over
        columns = shutil.get_terminal_size().columns - 1
        wide = min(20, columns - len("  ".join(["[]", *parts])))
        if wide >= 5:
            filled = round(wide * now.faces / now.total)
            parts.insert(1, f"[{'#' * filled}{' ' * (wide - filled)}]")
        click.echo(f"\r{'  '.join(parts)[:columns]:<{columns}}", nl=False, err=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _summary(history: History, out: Path) -> str:
    best = history.epochs[history.best_epoch - 1]
    return (
        f"best epoch {best.epoch} of {len(history)}: validation accuracy {best.val_accuracy:.2%}, "
        f"macro F1 {best.val_macro_f1:.3f}\nweights: {out / 'best'}"
    )
