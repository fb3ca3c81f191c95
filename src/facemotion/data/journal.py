"""The journal of `prepare`, by which work goes on after a stop, and by which a folder is one run's at a time."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from facemotion.claims import claim
from facemotion.data.arrays import LABELS
from facemotion.data.pack import PACK
from facemotion.errors import DataError

Layout = Literal["folders", "npy", "pack"]
JOURNAL = "prepare.jsonl"


@dataclass(frozen=True)
class Entry:
    """A line of the journal: what became of one picture or clip.

    status: "done", "no face", "several" (faces, of which `faces` were kept) or "unreadable" (`reason` says why).
    """

    item: str
    status: str
    faces: int = 0
    label: int | None = None
    split: str = ""
    reason: str = ""
    soft: list[float] | None = None
    columns: dict[str, str] = field(default_factory=dict)


class Journal:
    """What has been done already, one JSON object a line; the first line says with what settings.

    While it is open no other run may be at work in its folder: that is a DataError.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        if not path.exists():
            _refuse_to_replace(path.parent, settings["layout"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._file = undo.enter_context(path.open("a+b"))
            if not claim(self._file):
                what = "another `prepare` is at work in this folder: wait for its end, or name another"
                raise DataError(what, str(path.parent))
            self._begin(settings)
            undo.pop_all()

    def _begin(self, settings: dict[str, Any]) -> None:
        self._file.seek(0)
        data = self._file.read()
        # a line that was cut by a stop is work that was not done
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            self._read(whole, settings)
        else:  # a kill came before anything was done
            _refuse_to_replace(self.path.parent, settings["layout"])
        if len(whole) < len(data):
            self._file.truncate(len(whole))
        if not whole:
            self._write(settings)

    def _read(self, whole: bytes, settings: dict[str, Any]) -> None:
        try:
            first, *lines = (json.loads(line) for line in whole.splitlines())
            if not isinstance(first, dict):
                raise TypeError("the first line is no object")
            for line in lines:
                self._enter(Entry(**line))
        except (ValueError, TypeError, KeyError) as error:
            got = f"{type(error).__name__}: {error}"
            raise DataError("the journal can't be read", str(self.path), "what prepare wrote", got) from error
        changed = [key for key in settings if first.get(key) != settings[key]]
        if changed:
            expected = ", ".join(f"{key} {first.get(key)}" for key in changed)
            got = ", ".join(f"{key} {settings[key]}" for key in changed)
            raise DataError("the folder was begun with other settings; name another", str(self.path), expected, got)

    def _write(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values).encode() + b"\n")
        self._file.flush()

    def check(self, entry: Entry) -> None:
        """Refuse what was done before as a face of another split or class."""
        done = self.entries.get(entry.item)
        if done is not None and (done.split, done.label) != (entry.split, entry.label):
            what = f"the folder was begun with another split or class for {entry.item}; delete it or name another"
            expected, got = (f"split {each.split or 'none'}, class {each.label}" for each in (done, entry))
            raise DataError(what, str(self.path), expected, got)

    def add(self, entry: Entry) -> None:
        values = {
            key: value for key, value in asdict(entry).items() if value not in ("", None, {}, 0) or key == "label"
        }
        self._write(values)
        self._enter(entry)

    def _enter(self, entry: Entry) -> None:
        """The newer line of an item wins, and has its place: that is where its faces are in an array."""
        self.entries.pop(entry.item, None)
        self.entries[entry.item] = entry

    def close(self) -> None:
        self._file.close()


def _refuse_to_replace(out: Path, layout: Layout) -> None:
    """A DataError where a folder without a journal has arrays or a pack: they are somebody's, and none of ours."""
    names = {"npy": ("X_*.npy", "y_*.npy", LABELS), "pack": (PACK,), "folders": ()}[layout]
    found = sorted(path.name for name in names for path in out.glob(name))
    if found:
        what = "the folder holds data that this did not write; name another"
        raise DataError(what, str(out), f"none without a {JOURNAL}", ", ".join(found))
