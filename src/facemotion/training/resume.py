"""What an earlier call left in a training folder, and whether this training is that one, in every process alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facemotion.errors import TrainingError
from facemotion.recipes.recipe import Recipe
from facemotion.training.checkpoint import FRESH, WRITTEN, has_begun, load_checkpoint, recover_folder
from facemotion.weights.spec import CONFIG, MODEL, WeightsConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facemotion.data.samples import Samples
    from facemotion.training.distributed import Processes


def earlier_state(folder: Path) -> dict[str, Any] | None:
    """The last state of the training in a folder, None where there is none; then nothing in it may be overwritten."""
    recover_folder(folder / "best")
    saved = load_checkpoint(folder)
    if saved is None:
        # a training that was killed before its first checkpoint may have left the other two, and writes them again
        names = ("history.csv",) if has_begun(folder) else WRITTEN
        if found := [name for name in names if (folder / name).exists()]:
            raise TrainingError(
                f"{folder} holds {', '.join(found)}, and no checkpoint of the training that made it: choose another "
                f"--out, or start over with {FRESH}, which moves the folder aside"
            )
    # it is written before the checkpoint that tells of it, so that somebody has taken it away
    elif (epoch := saved["history"]["best_epoch"]) and not (folder / "best" / CONFIG).is_file():
        raise TrainingError(
            f"{folder / 'best'} is gone, with the best network so far, that of epoch {epoch}: put it back, or start "
            f"anew with {FRESH}"
        )
    return saved


def fingerprints(
    training: Samples, validation: Samples, second: NDArray[np.float32] | None, teachers: Iterable[WeightsConfig]
) -> dict[str, str]:
    """Name what a training learns from, beside its recipe: faces, their second labels, and networks."""
    found = {"training": training.fingerprint, "validation": validation.fingerprint}
    if second is not None:
        found["second"] = hashlib.sha256(second.tobytes()).hexdigest()
    # what makes the networks, and not what is told of them
    made = [
        (each.backbone, each.backbone_args, each.head.hidden, each.labels, each.input.to_dict(), each.files.get(MODEL))
        for each in teachers
    ]
    return found | ({"teachers": hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()} if made else {})


def check_alike(data: dict[str, str], together: Processes) -> None:
    """A TrainingError on every process unless all of them learn from the same."""
    said = together.gather(data)
    strays = [
        f"in process {rank + 1} of {len(said)} {', '.join(different)}"
        for rank, own in enumerate(said)
        if (different := _others(said[0], own))
    ]
    if strays:
        raise TrainingError(
            f"not all processes learn from the same as the first one: {'; '.join(strays)}. "
            "Data and teachers have to be the same on every machine"
        )


def check_same(saved: dict[str, Any], recipe: Recipe, data: dict[str, str], folder: Path) -> None:
    """A TrainingError unless the folder's training is this one."""
    new = _flat(recipe.to_dict())
    # the recipe that was asked for then, or the one that the folder keeps of it
    changed = min(
        (_changes(_flat(Recipe.from_toml(saved[each]).to_dict()), new) for each in ("recipe", "resolved")), key=len
    )
    changed += _others(saved["data"], data)
    if changed:
        ways = (
            f"start anew with {FRESH}, or choose another --out; with --set init={folder / 'best'} that one begins with "
            "what this one has learnt"
        )
        raise TrainingError(f"{folder} holds another training ({'; '.join(changed)}): {ways}")


def _others(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """What is learnt from other things, in words."""
    told = {"teachers": "the teachers have other weights"}
    return [told.get(part, f"the {part} data is another") for part in new if old.get(part) != new[part]]


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {old.get(key)!r} there, {new.get(key)!r} here" for key in new | old if old.get(key) != new.get(key)
    ]


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat
