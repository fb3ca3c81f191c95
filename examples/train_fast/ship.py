"""From a training folder to the weights that travel in the package: packed, calibrated, judged, with their card.

    python ship.py runs/fast-8class FER2013 shipped/fast-8class             # figures of PublicTest alone
    python ship.py runs/fast-8class FER2013 shipped/fast-8class --test      # opens PrivateTest: once, at the end

FER2013 is the folder that the training read. Everything is measured on the packed form.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from speed import milliseconds

from facemotion import Evaluator, read_data
from facemotion.classifier import Classifier
from facemotion.evaluation.calibrate import calibrate
from facemotion.recipes.recipe import Recipe

if TYPE_CHECKING:
    from facemotion import Report

DESCRIPTION = {
    "fer7": "The seven emotions of the FER-2013 challenge, in real time; trained on from fast-8class.",
    "ferplus8": "Eight emotions as ten people voted on FER-2013's faces (FER+), in real time.",
}
LIMITS = """
## What it can't do

- It was trained on small grey faces from the web: mostly frontal, mostly adults, unevenly many of each age and skin
  tone. No figure here says how it does on a group of people; `facemotion.Evaluator` with `slices` tells for yours.
- People disagree about such faces too: on half of them at most seven of FER+'s ten voters agree. Rare labels (disgust,
  contempt, fear) are weakest: see the table of classes.
- An apparent expression is not a feeling.

## Licence

The weights are ours, under MIT. They were trained on FER-2013, pictures collected from the web for research, whose own
rights are not ours to give; whether a use needs them is for you to judge. FER+ votes: MIT, Microsoft.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    trained = Classifier.load(options.run / "best")
    labels = "fer7" if "contempt" not in trained.labels else "ferplus8"
    rules = (None,) if labels == "fer7" else ("majority", "plurality")
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(trained, options.data, rules[0], Recipe.load(options.out.name))
        packed.save(folder)
        calibrate(folder, options.data, options.out, split="PublicTest", label_rule=rules[0])
    describe(options.out, labels)
    metrics = [judge(options.out, options.data, "PublicTest", rule)[0] for rule in rules]
    report = None
    if options.test:
        for rule in reversed(rules):
            flipped = judge(options.out, options.data, "PrivateTest", rule, tta="flip")[0]
            single, report = judge(options.out, options.data, "PrivateTest", rule, training=True)
            metrics += [single, flipped]
    write(options.out, metrics, report)
    for each in metrics:
        print(each)
    print_entry(options.out)


def pack(trained: Classifier, data: Path, rule: str | None, recipe: Recipe) -> Classifier:
    """int8, judged on PublicTest; framed as the recipe says, which training on ready crops has no part in."""
    samples = read_data(data, split="PublicTest", label_rule=rule).restrict(trained.labels)
    crops = samples.crops(trained.config.input, np.arange(len(samples)))
    config = dataclasses.replace(trained.config, input=recipe.input)
    name = "PublicTest" if rule is None else f"PublicTest ({rule})"
    return Classifier(trained.net, config).packed(judge=crops, truth=samples.targets, judged_on=name)


def judge(
    weights: Path, data: Path, split: str, rule: str | None, *, tta: Any = None, training: bool = False
) -> tuple[dict[str, Any], Report]:
    """The figures of a split as config.json keeps them, and the whole report."""
    report = Evaluator(weights, device="cpu").evaluate(
        data,
        split=split,
        label_rule=rule,
        tta=tta,
        training_data=data if training else None,
        allow_selected_split=split == "PublicTest",
    )
    assert report.accuracy is not None and report.accuracy_ci95 is not None
    told: dict[str, Any] = {"data": "FER-2013" if rule is None else "FER+", "split": split}
    told |= {"label_rule": rule} if rule else {}
    told |= {"tta": tta} if tta else {}
    low, high = report.accuracy_ci95
    told |= {"count": report.count, "accuracy": report.accuracy, "ci95": f"{low:.4f} to {high:.4f}"}
    told |= {"macro_f1": report.macro_f1, "ece": report.ece}
    if report.leak:
        told |= {"accuracy_without_copies": report.leak.without_exact["accuracy"]}
    return told, report


def describe(folder: Path, labels: str) -> None:
    """What the weights are and come from, in words that do not tell of this machine; and how fast they are."""
    classifier = Classifier.load(folder, device="cpu")
    alone, together = milliseconds(classifier, 1), milliseconds(classifier, 16)
    classifier.config = dataclasses.replace(
        classifier.config,
        description=DESCRIPTION[labels],
        licence="MIT",
        trained_on=tuple(each | {"data": "FER-2013"} for each in classifier.config.trained_on),
        chosen_on="FER-2013 PublicTest" if labels == "fer7" else "FER+ PublicTest",
        metrics=(),
        speed_ms=round(alone, 2),
        speed_on=f"one thread, onnxruntime {onnxruntime.__version__}; in batches of 16 {together:.2f} ms a face",
    )
    classifier.save(folder, name=folder.name)


def write(folder: Path, metrics: list[dict[str, Any]], report: Report | None) -> None:
    """The folder once more, with its figures and the whole card."""
    classifier = Classifier.load(folder, device="cpu")
    classifier.config = dataclasses.replace(classifier.config, metrics=tuple(metrics))
    classifier.save(folder, name=folder.name)
    card = folder / "README.md"
    text = card.read_text("utf-8")
    if report is not None:
        with tempfile.TemporaryDirectory() as scratch:
            report.save(scratch)
            body = Path(scratch, "report.md").read_text("utf-8").split("\n", 1)[1]
        # the pictures stay behind, and single faces are nobody's business
        body = body.partition("\n## Mistakes")[0].replace("\n## ", "\n### ")
        text += "\n## Report on the test part\n" + body.replace(str(folder), folder.name)
    card.write_text(text.rstrip() + "\n" + LIMITS, "utf-8")


def print_entry(folder: Path) -> None:
    """What the catalogue, weights.toml, says of these weights."""
    config = Classifier.load(folder).config
    figures = next((each for each in reversed(config.metrics) if "tta" not in each), {})
    shown = [f'{key} = "{figures[key]}"' for key in ("data", "split", "label_rule") if key in figures]
    print(f"[weights.{folder.name}]")
    print(f'kind = "emotion"\ndescription = "{config.description}"\nlicence = "{config.licence}"\nwheel = true')
    print(f'backbone = "{config.backbone}"\nspeed_ms = {config.speed_ms}')
    print(f"labels = {list(config.labels)}".replace("'", '"'))
    accuracy = f"accuracy = {figures['accuracy']:.4f}"
    print(f"metrics = {{ {', '.join([accuracy, *shown])} }}")
    for name in ("config.json", "model.safetensors"):
        data = (folder / name).read_bytes()
        print(f'\n[weights.{folder.name}.files."{name}"]')
        print(f'sha256 = "{hashlib.sha256(data).hexdigest()}"\nsize = {len(data)}')


if __name__ == "__main__":
    main()
