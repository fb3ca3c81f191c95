from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from test_frames import SIZE, indices, picture, write

from facemotion import VideoError
from facemotion.opencv import cv2
from facemotion.video.frames import clip_info, play, read_frames
from facemotion.video.writing import SLOWEST, ClipWriter


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 12.5, 60.0, 13.736263736263735, 830 / 7, 72.123, 239.853, 900.0])
def test_what_is_written_has_the_size_the_rate_and_the_length(tmp_path: Path, fps: float) -> None:
    with ClipWriter(tmp_path / "new" / "a.mp4", fps) as writer:
        for index in range(40):
            writer.write(picture(index), index / fps)
    frames = list(read_frames(tmp_path / "new" / "a.mp4"))
    assert indices([frame.image for frame in frames]) == list(range(40))
    assert [frame.time for frame in frames] == pytest.approx([index / fps for index in range(40)], abs=0.002)
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    assert clip_info(tmp_path / "new" / "a.mp4").fps == pytest.approx(fps, rel=1e-3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("fps", [0.0333, 0.007, 0.0026, SLOWEST])
def test_a_clip_of_few_frames_lasts_as_long_as_its_source(tmp_path: Path, fps: float) -> None:
    with ClipWriter(tmp_path / "a.mp4", fps) as writer:
        for index in range(40):
            writer.write(picture(index), index / fps)
    frames = list(read_frames(tmp_path / "a.mp4"))
    assert frames[-1].time == pytest.approx(39 / fps, abs=0.6 / fps)
    assert len(frames) <= 48, "and is no larger than its rate asks for"
    assert len(list((tmp_path).iterdir())) == 1


@pytest.mark.parametrize("fps", [0, -1.0, 0.0012, float("nan"), float("inf"), 1e6])
def test_a_rate_that_no_clip_can_have_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ValueError, match=r"^fps: expected up to 65535 frames a second"):
        ClipWriter(tmp_path / "a.mp4", fps)


@pytest.mark.parametrize("size", [(8448, 16), (40, 1)])
def test_a_size_that_no_mp4_has_is_said(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(VideoError, match=rf"MP4 takes 2 to 8191 pixels a side; the picture has {size[0]}x{size[1]}"):
        ClipWriter(tmp_path / "a.mp4", 25).write(np.zeros((size[1], size[0], 3), np.uint8), 0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_a_disk_allows(tmp_path: Path) -> None:
    clip = tmp_path / f"{'n' * 246}.mp4"
    with ClipWriter(clip, 25) as writer:
        writer.write(picture(0), 0.0)
    assert list(tmp_path.iterdir()) == [clip]


def test_a_tilde_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with ClipWriter("~/new/a.mp4", 25) as writer:
        writer.write(picture(0), 0.0)
    assert (tmp_path / "new" / "a.mp4").is_file()


def test_colours_stay(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(np.full((48, 160, 3), (250, 0, 0), np.uint8), 0.0)
    [frame] = read_frames(tmp_path / "a.mp4")
    assert frame.image[20, 20].tolist() == pytest.approx([250, 0, 0], abs=12)


def test_a_variable_rate_keeps_its_length(tmp_path: Path) -> None:
    times = [index / 25 for index in range(20)] + [0.8 + index / 5 for index in range(10)]
    with ClipWriter(tmp_path / "a.mp4", 10) as writer:
        for index, time in enumerate(times):
            writer.write(picture(index), time)
    shown = indices([frame.image for frame in read_frames(tmp_path / "a.mp4")])
    assert len(shown) == 27, "2.6 seconds to the last frame, at ten a second"
    assert shown == sorted(shown)
    for slot, index in enumerate(shown):
        assert times[index] == pytest.approx(slot / 10, abs=0.21)


def test_it_is_whole_where_the_work_breaks_off(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ClipWriter(tmp_path / "a.mp4", 25) as writer:
        for index in range(10):
            writer.write(picture(index), index / 25)
        raise KeyboardInterrupt
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 10


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "a.mp4", 25):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_odd_size_is_said_and_a_size_that_changes_is_brought_to_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ClipWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(np.full((49, 161, 3), 90, np.uint8), 0.0)
        writer.write(np.full((98, 322, 3), 90, np.uint8), 0.04)
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'a.mp4'}: MP4 takes even sizes only: 160x48 of 161x49 is written"
    ]
    assert [frame.image.shape for frame in read_frames(tmp_path / "a.mp4")] == [(48, 160, 3)] * 2


def test_what_can_t_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VideoError, match="can't be written"), ClipWriter(tmp_path / "file" / "a.mp4", 25) as writer:
        writer.write(picture(0), 0.0)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are a Unix thing")
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_disk_that_fills_up_is_said_and_leaves_no_broken_clip(tmp_path: Path, share: float) -> None:
    """0.99: the pictures are all there, and the list of them at the end of the file is not."""
    script = (
        "import resource, sys; import numpy as np; from pathlib import Path\n"
        "from facemotion.errors import VideoError\n"
        "from facemotion.video.writing import ClipWriter\n"
        "def write(path):\n"
        "    rng = np.random.default_rng(0)\n"
        "    with ClipWriter(path, 25, sound_of=path) as writer:\n"
        "        for index in range(40):\n"
        "            writer.write(rng.integers(0, 256, (48, 160, 3), np.uint8), index / 25)\n"
        "path, share = Path(sys.argv[1]), float(sys.argv[2])\n"
        "write(path)\n"
        "room = int(path.stat().st_size * share)\n"
        "path.unlink()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))\n"
        "try:\n    write(path)\n"
        "except VideoError as error:\n    sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.mp4"), str(share)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("a.mp4 can't be written whole; is there room on the disk?")
    assert list(tmp_path.iterdir()) == []


def streams(path: Path) -> list[dict[str, str]]:
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(done.stdout)["streams"]
    return found


@pytest.mark.parametrize("kind", ["aac", "pcm_s16le", None])
def test_the_sound_is_kept(tmp_path: Path, ffmpeg: str, kind: str | None) -> None:
    source = write(tmp_path / "a.avi", 50)
    if kind:
        sound = ["-f", "lavfi", "-i", "sine=440:d=2", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", kind]
        subprocess.run([ffmpeg, "-v", "error", "-i", source, *sound, tmp_path / "b.mkv"], check=True)
        source = tmp_path / "b.mkv"
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.image, frame.time)
    found = streams(tmp_path / "c.mp4")
    assert [each["codec_type"] for each in found] == ["video", "audio"][: 2 if kind else 1]
    for each in found:
        assert float(each["duration"]) == pytest.approx(2.0, abs=0.1)
    assert indices([frame.image for frame in read_frames(tmp_path / "c.mp4")]) == [n % 40 for n in range(50)]
    assert sorted(path.name for path in tmp_path.glob("c.*")) == ["c.mp4"]


def test_a_tilde_is_a_home_in_the_names_of_clips(tmp_path: Path, ffmpeg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    pictures, tone = write(tmp_path / "a.avi", 25), ["-f", "lavfi", "-i", "sine=440:d=1"]
    subprocess.run([ffmpeg, "-v", "error", "-i", pictures, *tone, tmp_path / "b.mkv"], check=True)
    assert clip_info("~/b.mkv") == clip_info(tmp_path / "b.mkv")
    assert list(play("~/b.mkv"))
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of="~/b.mkv") as writer:
        for frame in read_frames(Path("~/b.mkv")):
            writer.write(frame.image, frame.time)
    assert [each["codec_type"] for each in streams(tmp_path / "c.mp4")] == ["video", "audio"]


def test_sound_that_goes_before_the_pictures_still_does(tmp_path: Path, ffmpeg: str) -> None:
    pictures, source = write(tmp_path / "a.avi", 50), tmp_path / "late.mp4"
    tone = ["-f", "lavfi", "-i", "sine=440:d=4", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"]
    subprocess.run([ffmpeg, "-v", "error", "-itsoffset", "2", "-i", pictures, *tone, source], check=True)
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.image, frame.time)
    starts = [float(each["start_time"]) for each in streams(tmp_path / "c.mp4")]
    assert starts == pytest.approx([2.0, 0.0], abs=0.1)
    assert len(list(read_frames(tmp_path / "c.mp4"))) == 50


@pytest.mark.parametrize("every", [1, 3])
def test_sound_ends_where_the_work_breaks_off(tmp_path: Path, ffmpeg: str, every: int) -> None:
    """every: who leaves frames out, but goes to the end, keeps all the sound."""
    source = tmp_path / "long.mp4"
    tone = ["-f", "lavfi", "-i", "sine=440:d=8", "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac"]
    pictures = write(tmp_path / "a.avi", 200)
    subprocess.run([ffmpeg, "-v", "error", "-i", pictures, *tone, source], check=True)
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=source) as writer:
        for frame in read_frames(source):
            if frame.index % every == 0:
                writer.write(frame.image, frame.time)
            if every == 1 and frame.time > 2:
                break
    lengths = [float(each["duration"]) for each in streams(tmp_path / "c.mp4")]
    assert lengths == pytest.approx([2.08, 2.08] if every == 1 else [8.0, 8.0], abs=0.15)


SOUNDS = {"mkv": "aac", "webm": "libopus", "flv": "aac", "ts": "aac", "mpg": "mp2", "ogv": "libvorbis", "mp4": "aac"}


@pytest.fixture(params=SOUNDS)
def longer_sound(tmp_path: Path, ffmpeg: str, request: pytest.FixtureRequest) -> Path:
    """A clip of 4 seconds with sound of 8. But for MP4 nothing in it tells how many frames there are."""
    source = tmp_path / f"long.{request.param}"
    pictures = ["-f", "lavfi", "-i", "testsrc=size=176x144:rate=25:duration=4"]
    tone = ["-f", "lavfi", "-i", "sine=440:duration=8:sample_rate=44100"]
    kinds = ["-map", "0:v", "-map", "1:a", "-c:a", SOUNDS[request.param]]
    subprocess.run([ffmpeg, "-v", "error", *pictures, *tone, *kinds, source], check=True)
    return source


def test_sound_that_outlasts_the_pictures_still_does(tmp_path: Path, longer_sound: Path) -> None:
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=longer_sound) as writer:
        for frame in read_frames(longer_sound):
            writer.write(frame.image, frame.time)
    assert [float(each["duration"]) for each in streams(tmp_path / "c.mp4")] == pytest.approx([4.0, 8.0], abs=0.15)


@pytest.mark.parametrize("interrupted", [False, True])
def test_longer_sound_too_ends_where_the_work_breaks_off(tmp_path: Path, longer_sound: Path, interrupted: bool) -> None:
    with suppress(KeyboardInterrupt), ClipWriter(tmp_path / "c.mp4", 25, sound_of=longer_sound) as writer:
        for frame in read_frames(longer_sound):
            writer.write(frame.image, frame.time)
            if frame.time > 2:
                if interrupted:
                    raise KeyboardInterrupt
                break
    assert [float(each["duration"]) for each in streams(tmp_path / "c.mp4")] == pytest.approx([2.08, 2.08], abs=0.15)


def test_without_ffprobe_sound_is_kept_and_a_line_says_what_is_not_known(
    tmp_path: Path, ffmpeg: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "long.mp4"
    drawn = ["-f", "lavfi", "-i", "testsrc=size=176x144:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=1"]
    subprocess.run([ffmpeg, "-v", "error", *drawn, source], check=True)
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "ffmpeg").symlink_to(ffmpeg)
    with monkeypatch.context() as changed:
        changed.setenv("PATH", str(tmp_path / "programs"))
        with ClipWriter(tmp_path / "c.mp4", 25, sound_of=source) as writer:
            for frame in read_frames(source):
                writer.write(frame.image, frame.time)
    [record] = caplog.records
    assert "c.mp4: its sound may be early, or end with the pictures: the program ffprobe" in record.message
    assert [each["codec_type"] for each in streams(tmp_path / "c.mp4")] == ["video", "audio"]


def test_pictures_are_kept_where_the_joining_is_interrupted(
    tmp_path: Path, ffmpeg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    writer = ClipWriter(tmp_path / "c.mp4", 25, sound_of=write(tmp_path / "a.avi", 5))
    writer.write(picture(0), 0.0)
    monkeypatch.setattr("facemotion.video.writing.subprocess.run", interrupted)
    monkeypatch.setattr("facemotion.video.writing._pictures_come_late", lambda source: 0.0)
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "c.mp4"]


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, ffmpeg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ClipWriter("12:30.mp4", 25, sound_of=write(tmp_path / "a.avi", 5)) as writer:
        writer.write(picture(0), 0.0)
    assert len(list(read_frames("12:30.mp4"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["12:30.mp4", "a.avi"]


def test_without_ffmpeg_one_line_says_that_there_is_no_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = write(tmp_path / "a.avi", 5)
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=source) as writer:
        writer.write(picture(0), 0.0)
    [record] = caplog.records
    assert record.message.endswith("c.mp4 has no sound: the program ffmpeg, which would keep it, is not installed")
    assert len(list(read_frames(tmp_path / "c.mp4"))) == 1


def test_sound_that_can_t_be_joined_costs_no_picture(
    tmp_path: Path, ffmpeg: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=tmp_path / "broken.mp4") as writer:
        writer.write(picture(0), 0.0)
    assert "has no sound: ffmpeg could not join it (" in caplog.records[0].message
    assert len(list(read_frames(tmp_path / "c.mp4"))) == 1
    assert cv2.VideoCapture(str(tmp_path / "c.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 1


def test_what_ffmpeg_says_may_be_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "programs" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'caf\\351: no room' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with ClipWriter(tmp_path / "c.mp4", 25, sound_of=write(tmp_path / "a.avi", 5)) as writer:
        writer.write(picture(0), 0.0)
    assert caplog.records[-1].message.endswith("ffmpeg could not join it (caf\ufffd: no room)")
    assert len(list(read_frames(tmp_path / "c.mp4"))) == 1
