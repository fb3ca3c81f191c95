"""Reading and writing a weights folder, byte by byte."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facemotion.errors import ChecksumError, ConfigError, WeightsError
from facemotion.version import __version__
from facemotion.weights.catalogue import Pin
from facemotion.weights.folder import read_config, read_folder, write_folder
from facemotion.weights.spec import WeightsConfig

CONFIG = WeightsConfig("fast", ("happy", "sad"))


def pin(data: bytes) -> Pin:
    return Pin(hashlib.sha256(data).hexdigest(), len(data))


def test_what_is_written_is_read_and_the_config_tells_its_hash(tmp_path: Path) -> None:
    written = write_folder(tmp_path / "deep" / "mine", CONFIG, b"tensors", "somebody/mine")
    assert written.files == {"model.safetensors": hashlib.sha256(b"tensors").hexdigest()}
    assert read_folder(tmp_path / "deep" / "mine") == (written, b"tensors")
    assert sorted(path.name for path in (tmp_path / "deep" / "mine").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_the_version_is_that_of_what_wrote_it(tmp_path: Path) -> None:
    """Also where the config came with weights that another version wrote, which a training began with."""
    write_folder(tmp_path, dataclasses.replace(CONFIG, facemotion_version="0.0.1"), b"tensors")
    assert read_config(tmp_path).facemotion_version == __version__


def test_threads_that_write_one_folder_do_not_meet(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: write_folder(tmp_path, CONFIG, b"tensors"), range(100)))
    assert read_folder(tmp_path)[1] == b"tensors"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_promises_of_others_count_for_more_than_the_folders_own(tmp_path: Path) -> None:
    """A folder that is true to itself, and not what was promised."""
    write_folder(tmp_path, CONFIG, b"forged")
    config = (tmp_path / "config.json").read_bytes()
    read_folder(tmp_path, {"config.json": pin(config), "model.safetensors": pin(b"forged")})
    with pytest.raises(ChecksumError, match=r"model\.safetensors: expected sha256"):
        read_folder(tmp_path, {"config.json": pin(config), "model.safetensors": pin(b"promised")})
    with pytest.raises(ChecksumError, match=r"config\.json: expected sha256"):
        read_folder(tmp_path, {"config.json": pin(b"promised"), "model.safetensors": pin(b"forged")})


def test_a_config_that_is_no_text_or_far_too_long(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(ConfigError, match="expected at most 1048576 bytes"):
        read_config(tmp_path)


def test_what_can_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="labels"):
        write_folder(tmp_path / "mine", WeightsConfig("fast", ("happy", "joy")), b"tensors")
    assert not (tmp_path / "mine").exists()


def test_a_readme_that_is_no_card_is_never_lost(tmp_path: Path) -> None:
    for text in ("# My project\n", "---\ntitle: mine\n---\nIt uses library_name: facemotion\n", ""):
        (tmp_path / "README.md").write_text(text)
        with pytest.raises(WeightsError, match=r"README\.md is no card of weights and would be lost: name another"):
            write_folder(tmp_path, CONFIG, b"tensors")
        assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
        assert (tmp_path / "README.md").read_text() == text


def test_a_card_is_written_anew_even_if_somebody_edited_it(tmp_path: Path) -> None:
    write_folder(tmp_path, CONFIG, b"tensors")
    card = (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_bytes(card.replace("\n", "\r\n").encode() + b"Edited.\r\n")
    write_folder(tmp_path, CONFIG, b"other")
    assert (tmp_path / "README.md").read_text() == card


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="the weights can't be written"):
        write_folder(tmp_path / "file" / "mine", CONFIG, b"tensors")


def test_what_can_not_be_written_leaves_the_weights_that_were_there(tmp_path: Path) -> None:
    before = write_folder(tmp_path, CONFIG, b"tensors")
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").mkdir()
    with pytest.raises(WeightsError, match=r"README\.md is a folder"):
        write_folder(tmp_path, CONFIG, b"others")
    assert read_folder(tmp_path) == (before, b"tensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "config.json", "model.safetensors"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    written = write_folder(folder, CONFIG, b"tensors")
    assert read_folder(folder) == (written, b"tensors")
    assert "udce9" in (folder / "README.md").read_text("utf-8")


def test_data_whose_name_is_no_text_is_told_of(tmp_path: Path) -> None:
    told = {"data": "/data/caf\udce9", "split": "train"}
    written = write_folder(tmp_path, dataclasses.replace(CONFIG, trained_on=(told,)), b"tensors")
    assert read_config(tmp_path) == written
    assert read_config(tmp_path).trained_on == (told,)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from facemotion.errors import WeightsError\n"
        "from facemotion.weights.folder import write_folder\n"
        "from facemotion.weights.spec import WeightsConfig\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    write_folder(Path(sys.argv[1]), WeightsConfig('fast', ('happy', 'sad')), b'x' * 5000)\n"
        "except WeightsError as error:\n    sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "can't be written" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_another_library_keeps_under_these_names_is_never_lost(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"precious")
    with pytest.raises(WeightsError, match=r"holds what would be lost .*has no config\.json beside it"):
        write_folder(tmp_path, CONFIG, b"tensors")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="holds what would be lost"):
        write_folder(tmp_path, CONFIG, b"tensors")
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json"}
    assert (tmp_path / "model.safetensors").read_bytes() == b"precious"


def test_a_folder_that_was_stopped_before_its_config_is_written_again(tmp_path: Path) -> None:
    written = write_folder(tmp_path, CONFIG, b"older")
    (tmp_path / "config.json").unlink()
    assert write_folder(tmp_path, CONFIG, b"tensors") != written
    assert read_folder(tmp_path)[1] == b"tensors"
