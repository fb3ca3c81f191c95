"""From a training folder to the weights that travel in the package: packed, calibrated, judged, with their card.

    python ship.py runs/fast-8class FER2013 shipped/fast-8class             # figures of the choosing faces alone
    python ship.py runs/fast-8class FER2013 shipped/fast-8class --test      # opens the test part: once, at the end

The folder that is written has the name of the weights. FER2013 is what the training read; --split is named where the
training named one. Everything is measured on the packed form.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from facemotion import Evaluator, Recipe
from facemotion.classifier import Classifier
from facemotion.evaluation.calibrate import calibrate
from facemotion.training.setup import read_samples, training_data

if TYPE_CHECKING:
    from facemotion import Report
    from facemotion.data.samples import Samples

DESCRIPTIONS = {
    "fast-7class": "The seven emotions of the FER-2013 challenge, in real time; learnt beside the votes of FER+.",
    "fast-8class": "Eight emotions as ten people voted on FER-2013's faces (FER+), in real time.",
    "vgg16-5class": "VGG16 on five emotions of the FER-2013 challenge, for those who come from the robot-face project.",
    "vgg16-7class": "VGG16 on the seven emotions of the challenge, for those who come from the VGG16 pipeline.",
    "resnet50-5class": "ResNet50 on anger, fear, happiness, sadness and a neutral face, as FER+'s voters saw them.",
    "cnn-7class": "The custom CNN of the FER2013 project on the seven emotions of the challenge.",
    "cnn4-7class": "The network of the 4-layer CNN project on the seven emotions of the challenge.",
}
# by which rules weights are judged that learnt by one
RULES = {None: (None,), "soft": ("majority", "plurality"), "majority": ("majority", None)}
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
    parser.add_argument("--split", help="the split that the training was given, of which it put a part aside")
    parser.add_argument("--weights", type=Path, help="what ships, where it is not the run's own best")
    parser.add_argument("--rank", type=int, help="make big linear layers two thin ones")
    parser.add_argument("--pack-only", action="store_true", help="where it was trained: what is left is done elsewhere")
    parser.add_argument("--packed", type=Path, help="what --pack-only left; of the run only recipe.toml is needed then")
    parser.add_argument("--timed", help="weights of the same network whose speed is told, measured on another machine")
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    recipe = Recipe.load(options.run / "recipe.toml")
    rules = RULES[recipe.label_rule]
    by_rule = recipe.override({"label_rule": rules[0]} if rules[0] else {})
    training, choosing = training_data(read_samples(options.data, recipe, options.split), None, recipe)
    if by_rule != recipe:
        _, choosing = training_data(read_samples(options.data, by_rule, options.split), None, by_rule)
    chosen_on = "PublicTest" if options.split is None else f"{recipe.val_share:.0%} of {options.split}"
    if options.packed:
        small = Classifier.load(options.packed)
    else:
        trained = Classifier.load(options.weights or options.run / "best")
        small = pack(trained, choosing, chosen_on, options)
    if options.pack_only:
        small.save(options.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        small.save(folder)
        calibrate(folder, choosing, options.out)
    describe(options.out, f"{'FER-2013' if rules[0] is None else 'FER+'} {chosen_on}", options.split, options.timed)
    metrics = [judge(options.out, choosing, chosen_on, rules[0])[0]]
    report = None
    if options.test:
        splits = ("PrivateTest",) if options.split is None else ("PrivateTest", "PublicTest/PrivateTest")
        for rule, split in ((rule, split) for rule in reversed(rules) for split in splits):
            flipped = judge(options.out, options.data, split, rule, tta="flip")[0]
            single, report = judge(options.out, options.data, split, rule, training=training)
            metrics += [single, flipped]
    write(options.out, metrics, report, options.data)
    for each in metrics:
        print(each)
    print_entry(options.out)


def pack(trained: Classifier, choosing: Samples, judged_on: str, options: argparse.Namespace) -> Classifier:
    """int8; framed as the recipe of the package says, which training on ready crops has no part in."""
    crops = choosing.crops(trained.config.input, np.arange(len(choosing)))
    config = dataclasses.replace(trained.config, input=Recipe.load(options.out.name).input)
    whole = Classifier(trained.net, config)
    return whole.packed(options.rank, judge=crops, truth=choosing.targets, judged_on=judged_on)


def judge(
    weights: Path,
    data: Samples | Path,
    split: str,
    rule: str | None,
    *,
    tta: Any = None,
    training: Samples | None = None,
) -> tuple[dict[str, Any], Report]:
    """The figures of a split as config.json keeps them, and the whole report."""
    choosing = not isinstance(data, Path)
    report = Evaluator(weights, device="cpu").evaluate(
        data,
        split=None if choosing else split,
        label_rule=rule,
        tta=tta,
        training_data=training,
        allow_selected_split=choosing,
    )
    assert report.accuracy is not None and report.accuracy_ci95 is not None
    told: dict[str, Any] = {"data": "FER-2013" if rule is None else "FER+", "split": split}
    told |= {"label_rule": rule} if rule else {}
    told |= {"tta": tta} if tta else {}
    low, high = report.accuracy_ci95
    told |= {"count": report.count, "accuracy": report.accuracy, "ci95": f"{low:.4f} to {high:.4f}"}
    told |= {"macro_f1": report.macro_f1, "weighted_f1": report.weighted_f1, "ece": report.ece}
    if choosing:
        told["fingerprint"] = report.data_fingerprint
    if report.leak:
        told |= {"accuracy_without_copies": report.leak.without_exact["accuracy"]}
    return told, report


def describe(folder: Path, chosen_on: str, split: str | None, timed: str | None) -> None:
    """What the weights are and come from, in words that do not tell of this machine; and how fast they are."""
    classifier = Classifier.load(folder, device="cpu")
    origin = {"data": "FER-2013"} if split is None else {"data": "FER-2013", "split": split}
    told = [each | origin for each in classifier.config.trained_on]
    classifier.config = dataclasses.replace(
        classifier.config,
        description=DESCRIPTIONS[folder.name],
        licence="MIT",
        # data once, in however many steps it was learnt
        trained_on=tuple(each for place, each in enumerate(told) if each not in told[:place]),
        chosen_on=chosen_on,
        chosen_before=tuple(each | {"data": "FER-2013"} for each in classifier.config.chosen_before),
        metrics=(),
        **(speed(folder, classifier.config.backbone) if timed is None else told_speed(timed)),
    )
    classifier.save(folder, name=folder.name)


def speed(folder: Path, backbone: str) -> dict[str, Any]:
    """What a face takes here: the figures as config.json keeps them."""
    alone, together = milliseconds(folder)
    engine = f"onnxruntime {onnxruntime.__version__}" if backbone == "fast" else "torch"
    return {"speed_ms": alone, "speed_on": f"one thread, {engine}; in batches of 16 {together:.2f} ms a face"}


def told_speed(weights: str) -> dict[str, Any]:
    """What other weights say: the values of the weights change no speed."""
    config = Classifier.load(weights, device="cpu").config
    return {"speed_ms": config.speed_ms, "speed_on": config.speed_on}


def milliseconds(folder: Path) -> list[float]:
    """What a face takes alone and in batches of 16, in a process of its own, where no other threads spin."""
    script = Path(__file__).with_name("speed.py")
    told = subprocess.run([sys.executable, script, folder], check=True, capture_output=True, text=True).stdout
    return [float(line.split()[0]) for line in told.splitlines()]


def write(folder: Path, metrics: list[dict[str, Any]], report: Report | None, data: Path) -> None:
    """The folder once more, with its figures and the whole card, where no path tells of this machine."""
    classifier = Classifier.load(folder, device="cpu")
    classifier.config = dataclasses.replace(classifier.config, metrics=tuple(metrics))
    classifier.save(folder, name=folder.name)
    card = folder / "README.md"
    text = card.read_text("utf-8")
    if report is not None:
        with tempfile.TemporaryDirectory() as scratch:
            report.save(scratch)
            body = Path(scratch, "report.md").read_text("utf-8").split("\n", 1)[1]
        shown = "FER2013" if data.is_dir() else f"FER2013/{data.name}"
        # the pictures stay behind, and single faces are nobody's business
        body = body.partition("\n## Mistakes")[0].replace("\n## ", "\n### ")
        text += "\n## Report on the test part\n" + body.replace(str(folder), folder.name).replace(str(data), shown)
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
    accuracy = f"accuracy = {figures['accuracy']:.5f}"  # tables round it once more
    print(f"metrics = {{ {', '.join([accuracy, *shown])} }}")
    for name in ("config.json", "model.safetensors"):
        data = (folder / name).read_bytes()
        print(f'\n[weights.{folder.name}.files."{name}"]')
        print(f'sha256 = "{hashlib.sha256(data).hexdigest()}"\nsize = {len(data)}')


if __name__ == "__main__":
    main()
