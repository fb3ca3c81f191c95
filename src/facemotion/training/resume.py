"""What an earlier call left in a training folder: its state, whether it is this training, and what is not ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facemotion.errors import TrainingError
from facemotion.recipes.recipe import Recipe
from facemotion.training.checkpoint import WRITTEN, has_begun, load_checkpoint, recover_folder


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
                "--out, or start over with --fresh, which moves the folder aside"
            )
    return saved


def check_same(saved: dict[str, Any], recipe: Recipe, data: dict[str, str], folder: Path) -> None:
    """A TrainingError unless the folder's training is this one."""
    new = _flat(recipe.to_dict())
    # the recipe that was asked for then, or the one that the folder keeps of it
    changed = min(
        (_changes(_flat(Recipe.from_toml(saved[each]).to_dict()), new) for each in ("recipe", "resolved")), key=len
    )
    changed += [f"the {part} data is another" for part in data if saved["data"].get(part) != data[part]]
    if changed:
        ways = "start anew with --fresh, or choose another --out"
        raise TrainingError(f"{folder} holds another training ({'; '.join(changed)}): {ways}")


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {old.get(key)!r} there, {new.get(key)!r} here" for key in new | old if old.get(key) != new.get(key)
    ]


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat
