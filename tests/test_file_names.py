"""What is told of a name."""

from __future__ import annotations

import pytest

from facemotion.file_names import has_password, safe_name, without_secrets


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rtsp://me:secret@cam:554/live@1", "rtsp://me:***@cam:554/live@1"),
        ("rtsp://me:se@cr:et@cam/live", "rtsp://me:***@cam/live"),
        ("abfss://:secret@account/faces", "abfss://:***@account/faces"),
    ],
)
def test_a_password_is_not_told(name: str, told: str) -> None:
    assert has_password(name)
    assert without_secrets(name) == told


@pytest.mark.parametrize(
    ("name", "safe"),
    [("CON", "CON_"), ("aux.old", "aux_.old"), ("com1", "com1_"), ("con man", "con man"), ("../x", "_x"), ("", "_")],
)
def test_a_name_is_safe_on_every_system(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    "name", ["rtsp://cam:554/live@1", "hdfs://me@host:8020/a:b@c", "s3://bucket/a:b@c.png", "me:she@home/a?b.png", "a"]
)
def test_what_is_no_password_is_told(name: str) -> None:
    assert not has_password(name)
    assert without_secrets(name) == name


def test_keys_behind_an_address_are_not_told() -> None:
    assert without_secrets("https://host/clip.mp4?key=secret") == "https://host/clip.mp4"
