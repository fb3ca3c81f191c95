"""The catalogue of the package is true to itself, and says what it lacks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from facemotion.errors import ConfigError, UnknownNameError
from facemotion.weights.catalogue import Catalogue, Entry, Pin, catalogue

SHA = hashlib.sha256(b"").hexdigest()


def test_yunet_is_what_is_known_of_it() -> None:
    entry = catalogue().find("yunet")
    assert (entry.kind, entry.licence, entry.repo) == ("detector", "MIT", "opencv/face_detection_yunet")
    assert entry.revision == "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310"
    pin = entry.files["face_detection_yunet_2023mar.onnx"]
    assert pin == Pin("8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4", 232589)
    assert entry.size == 232589


@pytest.mark.parametrize("entry", catalogue().entries.values(), ids=lambda entry: entry.name)
def test_an_entry_is_complete_and_its_files_are_true(entry: Entry) -> None:
    assert entry.licence
    assert all(pin.size for pin in entry.files.values())
    if entry.folder:
        for name, pin in entry.files.items():
            content = (entry.folder / name).read_bytes()
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (pin.sha256, pin.size)
    if entry.kind == "emotion":
        assert entry.labels
        assert entry.metrics


def test_a_detector_is_no_emotion_weights() -> None:
    with pytest.raises(UnknownNameError):
        catalogue().find("yunet", "emotion")


def test_a_catalogue_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    path.write_text(
        f'[weights.mini]\nkind = "detector"\nlicence = "MIT"\nwheel = true\n'
        f'[weights.mini.files."mini.onnx"]\nsha256 = "{SHA}"\nsize = 0\n'
    )
    entry = Catalogue.read(path).find("mini")
    assert entry.folder == tmp_path / "files" / "mini"


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {"../up.onnx": Pin(SHA)}},
        {"files": {"/etc/passwd": Pin(SHA)}},
        {"files": {".hidden": Pin(SHA)}},
        {"files": {"a/b.onnx": Pin(SHA)}},
        {"files": {"a.onnx": Pin("beef")}},
        {"files": {}},
        {"files": {"a.onnx": Pin(SHA), "b.onnx": Pin(SHA)}},
        {"revision": "main"},
        {"revision": None},
        {"repo": None},
    ],
)
def test_an_entry_that_can_not_be_trusted_is_refused(changes: dict[str, object]) -> None:
    good = {"name": "x", "kind": "detector", "licence": "MIT", "files": {"a.onnx": Pin(SHA)}}
    Entry(**good, repo="a/b", revision="0" * 40)
    with pytest.raises(ConfigError):
        Entry(**(good | {"repo": "a/b", "revision": "0" * 40} | changes))
