"""`facemotion evaluate`: figures that can be believed, or a calibrated copy of the weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facemotion.cli.labelled import refuse_within
from facemotion.cli.paths import FOLDER, SOURCE
from facemotion.cli.progress import Progress
from facemotion.cli.streams import shown_lines

if TYPE_CHECKING:
    from facemotion.evaluation.calibrate import Calibration


@click.command(epilog="Example: facemotion evaluate runs/fast/best fer2013.csv --split test --out report")
@click.argument("weights")
@click.argument("data", type=SOURCE)
@click.option("--split", help="The split to judge (test unless named), or to calibrate on (val).")
@click.option("--label-rule", help="Labels by the FER+ votes: majority, plurality, all or soft.")
@click.option("--tta", type=click.Choice(["flip", "ten-crop"]), help="Average each face with its mirror image, or ten.")
@click.option("--calibrate", "calibrating", is_flag=True, help="Fit the temperature on the validation split instead.")
@click.option("--training-data", type=SOURCE, help="Look for copies of the judged faces in it.")
@click.option("--out", type=FOLDER, help="Folder of the report, or of the copy.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps ...", show_default=True)
def evaluate(
    weights: str,
    data: Path,
    split: str | None,
    label_rule: str | None,
    tta: Any,
    calibrating: bool,
    training_data: Path | None,
    out: Path | None,
    device: str,
) -> None:
    """Judge WEIGHTS (a folder, a name, owner/repo) on DATA, faces with labels. The same command gives the same bytes.

    The split that chose the epoch of the weights is refused. With --calibrate the temperature is fitted on the
    validation split, and a calibrated copy of the weights is written to --out.
    """
    refuse_within(out, data, training_data)
    if calibrating:
        if out is None:
            raise click.UsageError("--calibrate writes a copy of the weights: name its folder with --out")
        if tta is not None or training_data is not None:
            raise click.UsageError(
                "--calibrate goes with neither --tta nor --training-data: evaluate the copy with them"
            )
        from facemotion.evaluation.calibrate import calibrate

        with Progress() as progress:
            done = calibrate(weights, data, out, split=split, label_rule=label_rule, device=device, progress=progress)
        click.echo(shown_lines(_describe(done)))
        return
    from facemotion.evaluation.evaluator import Evaluator

    evaluator = Evaluator(weights, device=device)
    with Progress() as progress:
        report = evaluator.evaluate(
            data, split=split, label_rule=label_rule, tta=tta, training_data=training_data, progress=progress
        )
    click.echo(shown_lines(str(report)))  # names of files and groups are words of strangers
    if out is not None:
        report.save(out)
        click.echo(f"the report is in {out}", err=True)


def _describe(done: Calibration) -> str:
    where = f"{done.data} {done.split or ''}".strip()
    return (
        f"fitted on: {where}, {done.count:,} faces, label rule {done.label_rule or 'none'}\n"
        f"temperature: {done.temperature_before:.4f} before, {done.temperature:.4f} after; no label changes\n"
        f"expected calibration error there: {done.ece_before:.2%} before, {done.ece_after:.2%} after\n"
        f"log loss there: {done.log_loss_before:.4f} before, {done.log_loss_after:.4f} after\n"
        f"weights: {done.out}"
    )
