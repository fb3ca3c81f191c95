"""`facemotion export`: weights as an ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from facemotion.cli.paths import FILE


@click.command(epilog="Example: facemotion export runs/best emotions.onnx")
@click.argument("weights")
@click.argument("out", metavar="OUT.onnx", type=FILE)
def export(weights: str, out: Path) -> None:
    """Write WEIGHTS (a name, a folder, owner/repo) as ONNX: uint8 crops in, probabilities out; checked with torch."""
    from facemotion.classifier import Classifier
    from facemotion.export import export_onnx

    classifier = Classifier.load(weights, device="cpu")
    difference = export_onnx(classifier.net, classifier.config, out)
    click.echo(f"{out}: largest difference of a probability from torch {difference:.1e}")
