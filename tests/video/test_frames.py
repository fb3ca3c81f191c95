"""Real clips, written here; cameras are clips or pipes that behave like one."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from facemotion import ImageError, VideoError
from facemotion.opencv import cv2
from facemotion.video import frames as module
from facemotion.video.frames import RawFrame, as_shown, clip_info, is_live, play, read_frames
from facemotion.video.handover import _AHEAD, ahead
from facemotion.video.segments import Segment
from facemotion.video.whole import ClipInfo, check_whole

SIZE = (160, 48)


def picture(index: int) -> np.ndarray:
    """The place of a bar tells its index, so that a lost or doubled frame shows after compression too."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, 4 * (index % 40) : 4 * (index % 40) + 4] = 250
    return image


def write(path: Path, count: int, fps: float = 25.0, code: str = "MJPG", size: tuple[int, int] = SIZE) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
    assert writer.isOpened()
    for index in range(count):
        writer.write(cv2.resize(picture(index), size))
    writer.release()
    return path


def indices(images: list[np.ndarray]) -> list[int]:
    return [int(image.mean(axis=(0, 2)).reshape(-1, 4).sum(axis=1).argmax()) for image in images]


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("ü 1.mp4", "mp4v")])
@pytest.mark.parametrize("fps", [25.0, 29.97])
def test_a_clip_loses_no_frame_and_its_times_are_exact(tmp_path: Path, name: str, code: str, fps: float) -> None:
    path = write(tmp_path / name, 40, fps, code)
    frames = list(read_frames(path))
    assert [frame.index for frame in frames] == list(range(40))
    assert indices([frame.image for frame in frames]) == list(range(40))
    assert [frame.time for frame in frames] == pytest.approx([index / fps for index in range(40)], abs=0.002)
    assert frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    assert list(frame.time for frame in read_frames(str(path), fps=10)) == [index / 10 for index in range(40)]


def test_a_slow_reader_of_a_clip_loses_no_frame(tmp_path: Path) -> None:
    found = []
    for frame in read_frames(write(tmp_path / "a.avi", 20)):
        time.sleep(0.01)
        found.append(frame.index)
    assert found == list(range(20))


def test_colours_are_rgb(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE)
    writer.write(np.full((SIZE[1], SIZE[0], 3), (0, 0, 250), np.uint8))
    writer.release()
    [frame] = read_frames(tmp_path / "a.avi")
    assert frame.image[20, 20].tolist() == pytest.approx([250, 0, 0], abs=6)


def test_an_iterable_of_arrays_gets_times_from_the_rate() -> None:
    images = [picture(index) for index in range(4)] + [picture(4)[..., 0]]
    frames = list(read_frames(iter(images), fps=10))
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert all(frame.image.shape == (48, 160, 3) for frame in frames)
    assert [frame.time for frame in read_frames(images)][3] == pytest.approx(3 / 30)
    with pytest.raises(ImageError, match="float64"):
        list(read_frames([picture(0) / 255]))


def test_an_endless_iterable_is_read_one_frame_at_a_time() -> None:
    def endless() -> Iterator[np.ndarray]:
        while True:
            yield picture(0)

    frames = read_frames(endless())
    assert [next(frames).index for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_clip_that_breaks_off_gives_what_there_is_and_then_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    found = []
    with pytest.raises(VideoError, match=r"a\.avi: it breaks off after \d+ of 40 frames; those were read"):
        for frame in read_frames(path):
            found.append(frame.index)
    assert found == list(range(len(found)))
    assert 5 < len(found) < 35


def test_a_clip_that_is_damaged_in_the_middle_gives_what_comes_before(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 60, code="mp4v", size=(320, 240))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle - 1500 : middle + 1500] = bytes(3000)
    path.write_bytes(data)
    found = []
    with contextlib.suppress(VideoError):  # some builds of FFmpeg read on over damage
        for frame in read_frames(path):
            found.append(frame.index)
    assert found == list(range(len(found)))
    assert len(found) > 10


def box(data: bytearray, name: bytes) -> int:
    """Where the content of an MP4's box begins."""
    assert data.count(name) == 1
    return data.index(name) + 4


def test_a_clip_that_an_editor_cut_short_is_whole(tmp_path: Path) -> None:
    """Editors leave all frames in the file and say how many are shown."""
    path = write(tmp_path / "a.mp4", 40, code="mp4v")
    data = bytearray(path.read_bytes())
    # the length in milliseconds of the film, of its track, and of what is shown of that
    for name, offset in ((b"mvhd", 16), (b"tkhd", 20), (b"elst", 8)):
        assert struct.unpack_from(">I", data, box(data, name) + offset) == (1600,)
        struct.pack_into(">I", data, box(data, name) + offset, 800)
    path.write_bytes(data)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 40
    assert indices([frame.image for frame in read_frames(path)]) == list(range(20))


def test_a_variable_rate_keeps_the_times_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 40, code="mp4v")
    data = bytearray(path.read_bytes())
    steps = box(data, b"stts")
    assert struct.unpack_from(">4I", data, steps) == (0, 1, 40, 512)
    # twenty frames at 25 a second and twenty at 10, instead of forty at 25: 2.8 seconds
    data[steps : steps + 16] = struct.pack(">6I", 0, 2, 20, 512, 20, 1280)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        size = box(data, name) - 8
        struct.pack_into(">I", data, size, struct.unpack_from(">I", data, size)[0] + 8)
    for name, offset, length in ((b"mvhd", 16, 2800), (b"tkhd", 20, 2800), (b"elst", 8, 2800), (b"mdhd", 16, 35840)):
        struct.pack_into(">I", data, box(data, name) + offset, length)
    path.write_bytes(data)
    frames = list(read_frames(path))
    wanted = [index / 25 for index in range(20)] + [0.8 + index / 10 for index in range(20)]
    assert [frame.time for frame in frames] == pytest.approx(wanted, abs=0.001)
    assert indices([frame.image for frame in frames]) == list(range(40))


def test_a_phone_s_clip_is_turned_upright(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", 5, code="mp4v")
    data = bytearray(path.read_bytes())
    turn = box(data, b"tkhd") + 40
    one = 0x10000
    assert struct.unpack_from(">9i", data, turn) == (one, 0, 0, 0, one, 0, 0, 0, 0x40000000)
    struct.pack_into(">9i", data, turn, 0, one, 0, -one, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    *_, last = read_frames(path)
    assert last.image.shape == (SIZE[0], SIZE[1], 3)
    # the bar that stood at the left is now at the top
    assert last.image[18].mean() > 200 > 50 > last.image[40].mean()


VARIABLE = ["-vf", "select='not(mod(n,7))+lt(mod(n,25),6)'", "-fps_mode", "vfr"]


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.ts", "a.avi", "a.mp4", "fragments.mp4"])
def test_a_variable_rate_is_whole_and_half_of_it_is_not(tmp_path: Path, ffmpeg: str, name: str) -> None:
    """Most containers know their length alone, and what they say of their frames is a guess."""
    source, clip = write(tmp_path / "source.avi", 150), tmp_path / name
    codec = ["-c:v", "libvpx"] if name == "a.webm" else ["-c:v", "mpeg4", "-qscale:v", "2"]
    if name == "fragments.mp4":
        codec += ["-movflags", "frag_keyframe+empty_moov"]
    subprocess.run([ffmpeg, "-v", "error", "-i", source, *VARIABLE, *codec, clip], check=True)
    count = sum(n % 7 == 0 or n % 25 < 6 for n in range(150))
    assert len(list(read_frames(clip))) == pytest.approx(count, abs=1)
    if name == "a.mkv":  # the others have their length at the end, or in front an index of what is gone
        clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        with pytest.raises(VideoError, match="it breaks off after"):
            list(read_frames(clip))


def test_sound_that_outlasts_the_picture_is_no_break(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of a clip whose longest stream is its sound OpenCV tells more frames than there are: here half as many more."""
    clip, longer = write(tmp_path / "a.mkv", 40), ClipInfo(25.0, 60)
    check_whole(str(clip), 40, 1.56, longer)
    with clip.open("r+b") as file:
        file.truncate(clip.stat().st_size - 1)
    with pytest.raises(VideoError, match=r"a\.mkv: it breaks off after 40 of 60 frames"):
        check_whole(str(clip), 40, 1.56, longer)
    packets = tmp_path / "a.ts"
    packets.write_bytes((b"\x47" + bytes(187)) * 3)
    assert not caplog.records
    check_whole(str(packets), 40, 1.56, longer)  # nobody knows
    assert "either its sound outlasts its picture, or its end is missing" in caplog.text
    counted = write(tmp_path / "a.avi", 40)
    with pytest.raises(VideoError, match=r"a\.avi: it breaks off"):
        check_whole(str(counted), 40, 1.56, longer)


def test_what_is_promised_by_a_rate_that_is_none_is_no_promise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Ticks:
        """A capture of a recording that tells the ticks of its clock for its rate."""

        def __init__(self, *_: object) -> None:
            pass

        def isOpened(self) -> bool:  # OpenCV's name
            return True

        def get(self, what: int) -> float:
            return {cv2.CAP_PROP_FPS: 1000.0, cv2.CAP_PROP_FRAME_COUNT: 2000.0}.get(what, 0.0)

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Ticks)
    assert clip_info(write_bytes(tmp_path / "a.webm")) == ClipInfo(30.0, 60)


def write_bytes(path: Path) -> Path:
    path.write_bytes(b"something")
    return path


@pytest.mark.parametrize(("turned", "size"), [(0, (48, 320)), (90, (48, 80)), (180, (48, 320)), (270, (48, 80))])
def test_pixels_that_are_not_square_are_turned_with_the_picture(turned: int, size: tuple[int, int]) -> None:
    """OpenCV turns the frame that it gives, and tells of the pixels as they lie in the file."""

    class Turned:
        def get(self, what: int) -> float:
            told = {cv2.CAP_PROP_SAR_NUM: 2, cv2.CAP_PROP_SAR_DEN: 1, cv2.CAP_PROP_ORIENTATION_META: turned}
            return float(told[what])

    assert as_shown(Turned(), picture(0)).shape[:2] == size


def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are(tmp_path: Path, ffmpeg: str) -> None:
    source, clip = write(tmp_path / "source.avi", 5), tmp_path / "a.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-i", source, "-vf", "setsar=4/3", "-c:v", "mpeg4", clip], check=True)
    sizes = {frame.image.shape[:2] for frame in read_frames(clip)}
    assert sizes == {image.shape[:2] for _, image in Segment(clip).frames()} == {(SIZE[1], round(SIZE[0] * 4 / 3))}


def test_a_name_that_is_not_utf_8_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """OpenCV ends the process for the one, and waits for ever for the other."""
    name = str(tmp_path / "caf\udce9.avi")
    with pytest.raises(VideoError, match="must be UTF-8 for OpenCV; rename it"):
        next(read_frames(name))
    os.mkfifo(tmp_path / "pipe.avi")
    with pytest.raises(VideoError, match="this is a pipe"):
        clip_info(tmp_path / "pipe.avi")


def test_a_stream_that_nobody_ends_does_not_abort_the_program(tmp_path: Path) -> None:
    clip = write(tmp_path / "large.avi", 60, size=(1920, 1920))
    code = f"""
from facemotion.video.frames import play, read_frames
out = open({str(tmp_path / "out.txt")!r}, "w")
out.write("not flushed")
for frames in (streams := [read_frames({str(clip)!r}), play({str(clip)!r})]):
    next(frames)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.txt").read_text() == "not flushed"


def test_an_end_does_not_wait_for_a_camera_that_says_nothing() -> None:
    silent, released = threading.Event(), threading.Event()

    def frames() -> Iterator[int]:
        yield 1
        silent.wait(30)
        released.set()

    stream = ahead(frames())  # type: ignore[arg-type]  # any generator
    next(stream)
    begun = time.monotonic()
    stream.close()
    assert time.monotonic() - begun < 5
    silent.set()
    assert released.wait(5)


def test_a_bare_stream_without_times_gets_them_from_its_rate(tmp_path: Path, ffmpeg: str) -> None:
    path, bare = write(tmp_path / "a.avi", 30), tmp_path / "a.h264"
    subprocess.run([ffmpeg, "-v", "error", "-i", path, "-c:v", "libx264", "-bf", "2", bare], check=True)
    frames = list(read_frames(bare))
    assert indices([frame.image for frame in frames]) == list(range(30))
    assert [frame.time for frame in frames] == pytest.approx([index / 25 for index in range(30)])


def test_a_4k_clip(tmp_path: Path) -> None:
    frames = list(read_frames(write(tmp_path / "a.mp4", 6, code="mp4v", size=(3840, 2160))))
    assert [frame.image.shape for frame in frames] == [(2160, 3840, 3)] * 6


def test_a_codec_that_opencv_lacks_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 5)
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZQ9X"))
    with pytest.raises(VideoError, match=r"a\.avi: (OpenCV can't read this as video|there is no frame in it)"):
        list(read_frames(path))


def test_a_clip_without_frames_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 0)
    with pytest.raises(VideoError, match=r"a\.avi: "):
        list(read_frames(path))


def test_a_clip_that_opencv_can_t_decode_is_told_how_to_mend(tmp_path: Path, ffmpeg: str) -> None:
    clip = tmp_path / "a.mp4"
    encode = [
        ffmpeg,
        "-v",
        "error",
        "-i",
        write(tmp_path / "source.avi", 5),
        "-c:v",
        "libaom-av1",
        "-cpu-used",
        "8",
        clip,
    ]
    if subprocess.run(encode, capture_output=True, check=False).returncode:
        pytest.skip("this ffmpeg writes no AV1")
    try:
        assert len(list(read_frames(clip))) == 5
    except VideoError as error:
        assert "no frame in it that can be read; where it is AV1" in str(error) and "ffmpeg -i IN OUT.mp4" in str(error)
        subprocess.run([ffmpeg, "-v", "error", "-i", clip, tmp_path / "b.mp4"], check=True)
        assert len(list(read_frames(tmp_path / "b.mp4"))) == 5


def test_what_a_clip_says_of_itself(tmp_path: Path) -> None:
    assert clip_info(write(tmp_path / "a.avi", 12, fps=20)) == ClipInfo(20.0, 12)
    with pytest.raises(VideoError, match="no such file"):
        clip_info(tmp_path / "absent.avi")


def test_the_ticks_of_a_clock_are_no_rate(tmp_path: Path) -> None:
    """A browser tells 1,000 a second, whatever it recorded: an annotated copy would repeat each frame often."""
    assert clip_info(write(tmp_path / "a.avi", 12, fps=1000)).fps == 30
    assert clip_info(write(tmp_path / "b.avi", 12, fps=240)).fps == 240


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.avi", 5).rename("2024-01-01T12:30:00.avi")
    assert len(list(read_frames("2024-01-01T12:30:00.avi"))) == 5


def test_frames_that_bring_their_times_keep_them() -> None:
    own = [RawFrame(7, 1.5, picture(0)), RawFrame(9, 4.0, picture(1))]
    found = list(read_frames(iter(own), fps=3))
    assert [(frame.index, frame.time) for frame in found] == [(7, 1.5), (9, 4.0)]
    assert all(np.array_equal(frame.image, each.image) for frame, each in zip(found, own, strict=True))
    [grey] = read_frames([RawFrame(0, 0.0, picture(0)[..., 0])])
    assert grey.image.shape == picture(0).shape


def test_one_picture_is_no_stream() -> None:
    with pytest.raises(ImageError, match=r"for one picture: \[picture\]"):
        read_frames(picture(0))


def test_what_was_opened_already_is_no_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 2)
    with path.open("rb") as file:
        for source in (cv2.VideoCapture(str(path)), file, path.read_bytes(), bytearray(b"clip")):
            kind = type(source).__name__
            mend = "" if kind == "VideoCapture" else "; write the clip to a file first, and give its path"
            wanted = "expected a clip's path or address, a camera's number.*"
            with pytest.raises(VideoError, match=f"{wanted} got {kind}{mend}$"):
                read_frames(source)  # type: ignore[arg-type]  # wrong on purpose


def test_a_camera_of_one_s_own_may_have_frames_read_as_it_likes() -> None:
    class Camera:
        def read(self) -> np.ndarray:
            return picture(0)

        def __iter__(self) -> Iterator[np.ndarray]:
            yield self.read()

    assert len(list(read_frames(Camera()))) == 1


def test_a_camera_s_number_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match=r"^0: no such file; a camera is a number: stream\(0\), or `facemotion webcam"):
        list(read_frames("0"))
    with pytest.raises(VideoError, match=r"absent: no such file$"):
        list(read_frames("absent"))


@pytest.mark.parametrize("fps", [0, -1, float("nan")])
def test_a_rate_that_can_t_be(fps: float) -> None:
    with pytest.raises(ValueError, match="fps: expected frames a second above 0"):
        read_frames([picture(0)], fps)


def test_a_clip_is_played_like_a_camera(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 20, fps=20)
    started = time.monotonic()
    frames = play(path)
    first = next(frames)
    time.sleep(0.4)
    second = next(frames)
    rest = list(frames)
    assert first.index == 0
    assert second.index >= 6, "the older ones were left out"
    assert rest[-1].index == 19, "the last one is always given"
    assert time.monotonic() - started >= 0.9, "no faster than it was filmed"
    with pytest.raises(VideoError, match="no such file"):
        next(play(tmp_path / "absent.avi"))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.mp4", None, "absent.mp4: no such file"),
        ("notes.mp4", b"no video at all", r"can't read this as video \(15 bytes\)"),
        ("empty.mp4", b"", r"\(0 bytes\)"),
        (".", None, "this is a folder"),
    ],
)
def test_what_is_no_clip_is_named(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=says):
        list(read_frames(tmp_path / name))


def test_a_url_that_does_not_answer() -> None:
    with pytest.raises(VideoError, match="no video can be read there"):
        list(read_frames("http://127.0.0.1:9/nothing.mp4"))


@pytest.mark.parametrize("secret", ["p:w", "p@w", ""])
def test_no_message_tells_a_camera_s_password(secret: str) -> None:
    for address in (f"rtsp://me:{secret}@127.0.0.1:9/live", f"http://me:{secret}@127.0.0.1:9/a.mp4?key=hidden"):
        with pytest.raises(VideoError, match=r"//me:\*\*\*@127\.0\.0\.1:9/(live|a\.mp4): no video"):
            list(read_frames(address))


class Streams(BaseHTTPRequestHandler):
    """Clips, those called locked for "me" with the password "p@w", and at /camera JPEGs for ever."""

    clips: ClassVar[dict[str, bytes]] = {}
    sent = 0

    def do_GET(self) -> None:
        if "locked" in self.path and self.headers["Authorization"] != f"Basic {b64encode(b'me:p@w').decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="clips"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if self.path in self.clips:
            self.send_header("Content-Length", str(len(self.clips[self.path])))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(self.clips[self.path])
            return
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        with contextlib.suppress(OSError):  # the reader went away
            while True:
                index = Streams.sent = Streams.sent + 1
                _, jpeg = cv2.imencode(".jpg", picture(index % 40))
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
                time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    jpegs = [cv2.imencode(".jpg", picture(index))[1].tobytes() for index in range(30)]
    Streams.clips = {"/clip.avi": write(tmp_path / "served.avi", 30).read_bytes(), "/bare.mjpg": b"".join(jpegs)}
    Streams.clips["/locked.mjpg"] = Streams.clips["/bare.mjpg"]
    Streams.sent = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Streams) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.mark.parametrize(("name", "who"), [("clip.avi", ""), ("bare.mjpg", ""), ("locked.mjpg", "me:p%40w@")])
def test_a_clip_on_a_server_loses_no_frame_and_ends(server: str, name: str, who: str) -> None:
    """The two last can't say how many frames they have."""
    address = server.replace("//", f"//{who}")
    frames = list(itertools.islice(read_frames(f"{address}/{name}"), 50))
    assert indices([frame.image for frame in frames]) == list(range(30))


def test_a_clip_on_a_server_that_gives_no_parts_of_it_is_to_be_fetched(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV writes the index of an MP4 behind its pictures; a large one is not in what FFmpeg has read ahead."""
    data = write(tmp_path / "a.mp4", 40, code="mp4v").read_bytes()
    index = data.index(b"moov") - 4
    free = struct.pack(">I4s", 1_000_000, b"free") + bytes(999_992)
    monkeypatch.setitem(Streams.clips, "/a.mp4", data[:index] + free + data[index:])
    with pytest.raises(VideoError, match=r"/a\.mp4: there is no frame .* no parts of a file, .* fetch it first"):
        next(read_frames(f"{server}/a.mp4"))


def test_a_camera_s_address_is_live_and_a_clip_s_is_not(server: str) -> None:
    live = {name: is_live(f"{server}/{name}", clip_info(f"{server}/{name}")) for name in ("clip.avi", "camera")}
    assert live == {"clip.avi": False, "camera": True}
    assert not is_live("bare.mjpg", ClipInfo(30.0, None))


def test_a_list_of_a_live_stream_s_parts_is_no_clip(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Streams.clips, "/live.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n")
    assert not module._has_length(f"{server}/live.m3u8")


def test_a_camera_on_a_server_gives_the_newest_frame(server: str) -> None:
    frames = read_frames(f"{server}/camera")
    first = next(frames)
    time.sleep(0.6)
    second = next(frames)
    assert second.index - first.index > 5
    frames.close()


def test_no_camera_says_which_were_tried() -> None:
    with pytest.raises(VideoError, match=r"no camera at index 77: .* \(tried 0, 1, 2, 3, 77\)"):
        next(read_frames(77))


@pytest.mark.parametrize("index", [-1, 10**11])
def test_an_index_that_no_camera_has(index: int) -> None:
    with pytest.raises(VideoError, match="expected a number from 0"):
        next(read_frames(index))


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 400, size=(320, 240))
    tracemalloc.start()
    for _ in read_frames(path):
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # those that wait, and one each that is read, turned into RGB, put, taken and looked at; a frame of OpenCV's own
    assert most < (_AHEAD + 5) * 320 * 240 * 3


def test_a_reader_that_stops_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", 100)
    for _ in range(3):
        frames = read_frames(path)
        next(frames)
        frames.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("facemotion")]


class Camera:
    """What OpenCV shows of a camera at 50 frames a second; it is gone between two of its frames if told so."""

    made: ClassVar[list[Camera]] = []
    frames = 0
    gone_until = 0.0

    def __init__(self, source: int | str) -> None:
        self.open = source in (0, os.devnull) and time.monotonic() >= Camera.gone_until
        Camera.made.append(self)

    def isOpened(self) -> bool:
        return self.open

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.02)
        if not self.open or time.monotonic() < Camera.gone_until:
            return False, None
        Camera.frames += 1
        return True, picture(Camera.frames % 100)

    def release(self) -> None:
        self.open = False


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Camera]]:
    Camera.made, Camera.frames, Camera.gone_until = [], 0, 0.0
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    yield Camera
    assert not [each for each in Camera.made if each.open], "a camera was left open"


DEVICE = pytest.param(os.devnull, marks=pytest.mark.skipif(os.name == "nt", reason="cameras are no files"))


@pytest.mark.parametrize("source", [0, DEVICE])
def test_a_slow_reader_of_a_camera_sees_the_newest_frame(camera: type[Camera], source: int | str) -> None:
    frames = read_frames(source)
    first = next(frames)
    time.sleep(0.5)
    second = next(frames)
    assert second.index - first.index > 10
    assert second.index >= camera.frames - 3
    assert second.time - first.time == pytest.approx(0.5, abs=0.2)
    frames.close()


def test_a_camera_that_comes_back_is_picked_up_again(camera: type[Camera]) -> None:
    frames = read_frames(0)
    first = next(frames)
    camera.gone_until = time.monotonic() + 0.6
    later = [next(frames) for _ in range(10)]
    assert later[-1].time - first.time > 0.6
    assert len(camera.made) > 1
    frames.close()


def test_a_camera_that_stays_away_is_an_error(camera: type[Camera], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECONNECT_SECONDS", 0.5)
    frames = read_frames(0)
    next(frames)
    camera.gone_until = time.monotonic() + 60
    with pytest.raises(VideoError, match=r"camera 0 went away and did not come back within 0\.5 seconds"):
        for _ in frames:
            pass


def test_a_camera_that_gives_no_picture_is_an_error(camera: type[Camera], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RECONNECT_SECONDS", 0.3)
    monkeypatch.setattr(camera, "read", lambda self: (time.sleep(0.01), (False, None))[1])
    with pytest.raises(VideoError, match=r"camera 0 gave no picture within 0\.3 seconds; does another program use it"):
        next(read_frames(0))


def test_a_reader_need_not_wait_for_a_camera_that_is_away(camera: type[Camera]) -> None:
    frames = read_frames(0)
    next(frames)
    camera.gone_until = time.monotonic() + 60
    time.sleep(0.2)
    started = time.monotonic()
    frames.close()
    assert time.monotonic() - started < 5


def test_another_camera_is_suggested(camera: type[Camera]) -> None:
    with pytest.raises(VideoError, match="no camera at index 2: there is one at 0"):
        next(read_frames(2))
