"""Classes of your own: a folder of faces becomes calibrated weights, a report and an ONNX file."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from facemotion import DataError, EmotionRecognizer, Evaluator, Samples, Trainer, read_data
from facemotion.data.splits import split_samples
from facemotion.evaluation.calibrate import calibrate
from facemotion.training.progress import Progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="a folder with a folder of pictures for each class")
    parser.add_argument("out", type=Path, help="where everything goes")
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()
    started = time.monotonic()

    labels = sorted(folder.name for folder in args.faces.iterdir() if folder.is_dir())
    samples = read_data(args.faces, labels=labels)
    # a fifth to judge on, a fifth to choose the epoch on; copies of a picture never come apart
    judged = split_samples(samples, 0.2, names=("rest", "test"))
    chosen = split_samples(judged.select("rest"), 0.25, names=("train", "val"))
    train, val, test = chosen.select("train"), chosen.select("val"), judged.select("test")
    print(f"{len(train)} faces to train on, {len(val)} to choose on, {len(test)} to judge on: {', '.join(labels)}")

    trainer = Trainer("finetune", out=args.out / "training", labels=labels, epochs=args.epochs)
    trainer.fit(train, val, progress=lambda now: print_epoch(now) if now.faces == now.total else None)
    calibrated(args.out / "training" / "best", val, args.out / "weights")

    report = Evaluator(args.out / "weights").evaluate(test, training_data=train)
    report.save(args.out / "report")
    print(report)

    EmotionRecognizer.from_pretrained(args.out / "weights").export(args.out / "emotions.onnx")
    print(f"weights, report and emotions.onnx are in {args.out}, after {time.monotonic() - started:.0f} s")


def calibrated(best: Path, val: Samples, out: Path) -> None:
    """Write weights whose scores mean what they say. How sure to be can't be told of a network without a mistake."""
    try:
        calibrate(best, val, out)
    except DataError as error:
        print(f"not calibrated: {error}")
        EmotionRecognizer.from_pretrained(best).save_pretrained(out)


def print_epoch(now: Progress) -> None:
    print(f"epoch {now.epoch}/{now.epochs}  loss {now.loss:.3f}  accuracy {now.accuracy:.0%}")


if __name__ == "__main__":
    main()
