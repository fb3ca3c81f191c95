"""What the commands share that have to do with labels."""

from __future__ import annotations

from pathlib import Path

from facemotion.errors import FacemotionError
from facemotion.labels import LabelSet


def label_set(text: str) -> LabelSet:
    """What --labels names: a known set, or the labels in their order with commas between them."""
    return LabelSet.of([label.strip() for label in text.split(",")] if "," in text else text)


def refuse_within(out: Path | None, *sources: Path | None) -> None:
    """An error where what a command writes would become a class of class folders that it reads."""
    from facemotion.data.reading import recognise

    for data in sources:
        if not (out and data and data.is_dir() and out.resolve().is_relative_to(data.resolve())):
            continue
        if recognise(data) == "folders":
            raise FacemotionError(
                f"--out {out} lies in the class folders {data} and would become one: name another place"
            )
