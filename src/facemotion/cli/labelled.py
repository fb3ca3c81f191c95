"""What the commands share that read faces with labels."""

from __future__ import annotations

from pathlib import Path

from facemotion.errors import FacemotionError


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
