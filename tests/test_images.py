"""Every kind of picture that people have, and everything that only looks like one."""

from __future__ import annotations

import base64
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facemotion import ImageError, images, upright
from facemotion.images import from_bgr, image_info, read_image, write_jpeg, write_png


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def small(astronaut: np.ndarray) -> np.ndarray:
    """An upright detail, wider than high, whose every corner differs."""
    return np.ascontiguousarray(astronaut[40:136:2, 150:310:2])


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_come_back_to_the_byte(small: np.ndarray, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(read_image(encode(Image.fromarray(small), kind, **options)), small)


def test_jpeg_and_gif_come_back_nearly(small: np.ndarray) -> None:
    assert np.abs(read_image(encode(Image.fromarray(small), "JPEG", quality=95)).astype(int) - small).mean() < 3
    assert np.abs(read_image(encode(Image.fromarray(small), "GIF")).astype(int) - small).mean() < 12


def test_the_first_frame_of_a_gif_is_the_picture(small: np.ndarray) -> None:
    first, second = Image.fromarray(small), Image.new("RGB", small.shape[1::-1], "red")
    assert np.array_equal(
        read_image(encode(first, "GIF", save_all=True, append_images=[second])), read_image(encode(first, "GIF"))
    )


@pytest.mark.parametrize("place", ["plain.png", "with space.png", "gesicht-ü-顔-😀.png", "quote'\".png"])
def test_a_path_of_any_name_as_text_or_path(tmp_path: Path, small: np.ndarray, place: str) -> None:
    path = tmp_path / place
    Image.fromarray(small).save(path)
    assert np.array_equal(read_image(path), small)
    assert np.array_equal(read_image(str(path)), small)


def test_bytes_files_and_pil_images(tmp_path: Path, small: np.ndarray) -> None:
    data = encode(Image.fromarray(small), "PNG")
    assert np.array_equal(read_image(bytearray(data)), small)
    assert np.array_equal(read_image(memoryview(data)), small)
    assert np.array_equal(read_image(io.BytesIO(data)), small)
    (tmp_path / "a.png").write_bytes(data)
    with (tmp_path / "a.png").open("rb") as file:
        assert np.array_equal(read_image(file), small)
    lazy = Image.open(io.BytesIO(data))
    assert np.array_equal(read_image(lazy), small)
    assert np.array_equal(np.asarray(lazy), small), "somebody's image was changed"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(small: np.ndarray, kind: str, orientation: int) -> None:
    inverse = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    lying = Image.fromarray(small)
    if inverse in upright._TURNS:
        lying = lying.transpose(upright._TURNS[inverse])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 98, "subsampling": 0} if kind == "JPEG" else {}
    seen = read_image(encode(lying, kind, exif=exif, **options))
    assert seen.shape == small.shape
    assert np.abs(seen.astype(int) - small).mean() < 2


def test_orientation_6_turns_the_way_the_standard_says() -> None:
    # "row 0 is the right-hand side of the scene, column 0 its top": the stored top left pixel is shown top right
    stored = Image.new("RGB", (4, 2), "black")
    stored.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = read_image(encode(stored, "PNG", exif=exif))
    assert shown.shape == (4, 2, 3)
    assert shown[0, 1].tolist() == [255, 0, 0]


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_an_orientation_that_means_nothing_is_ignored(small: np.ndarray, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert np.array_equal(read_image(encode(Image.fromarray(small), "PNG", exif=exif)), small)


def test_alpha_that_is_multiplied_in_already() -> None:
    image = Image.new("LA", (1, 1), (40, 128))
    assert read_image(image.convert("La")).tolist() == [[[147] * 3]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lies_over_white(mode: str) -> None:
    pixels = {"RGBA": [(200, 0, 0, 255), (200, 0, 0, 0), (200, 0, 0, 128)], "LA": [(40, 255), (40, 0), (40, 128)]}[mode]
    image = Image.new(mode, (3, 1))
    image.putdata(pixels)
    seen = read_image(encode(image, "PNG"))[0].tolist()
    assert seen[1] == [255, 255, 255]
    solid, half = ([200, 0, 0], [227, 127, 127]) if mode == "RGBA" else ([40] * 3, [147] * 3)
    assert seen[0] == solid
    assert np.abs(np.array(seen[2]) - half).max() <= 1


def test_a_palette_with_a_transparent_entry() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert read_image(encode(image, "PNG"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert read_image(encode(image, "PNG", transparency=1))[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_cmyk_is_the_colour_that_people_see() -> None:
    image = Image.new("RGB", (8, 8), (200, 60, 30)).convert("CMYK")
    for data in (encode(image, "TIFF"), encode(image, "JPEG", quality=98)):
        assert np.abs(read_image(data)[4, 4].astype(int) - (200, 60, 30)).max() <= 6


def test_grey_1_bit_and_16_bit() -> None:
    ramp = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    expected = np.repeat(ramp[:, :, None], 3, axis=2)
    assert np.array_equal(read_image(encode(Image.fromarray(ramp), "PNG")), expected)
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF"):
        assert np.array_equal(read_image(encode(deep, kind)), expected)
    assert np.array_equal(read_image(encode(Image.fromarray(ramp.astype(np.int32) * 257), "TIFF")), expected)
    one_bit = read_image(encode(Image.fromarray(ramp > 127), "PNG"))
    assert np.array_equal(one_bit, np.where(expected > 127, 255, 0))


def test_float_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="neither 8 nor 16 bits"):
        read_image(encode(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"))


def test_arrays_are_taken_as_they_are(small: np.ndarray) -> None:
    assert read_image(small) is small
    assert np.array_equal(read_image(small[:, ::-1]), small[:, ::-1])
    grey = small[..., 0]
    for one_channel in (grey, grey[..., None]):
        assert np.array_equal(read_image(one_channel), np.stack([grey] * 3, axis=2))
        assert np.array_equal(from_bgr(one_channel), np.stack([grey] * 3, axis=2))
    assert np.array_equal(from_bgr(small[..., ::-1]), small)
    assert from_bgr(small).flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("turned", [slice(None), slice(None, None, -1), slice(1, -2, 2)])
@pytest.mark.parametrize("channels", [slice(None), slice(None, None, -1), 1])
def test_views_are_copied_pixel_for_pixel(astronaut: np.ndarray, turned: slice, channels: slice | int) -> None:
    """Turned round, mirrored, thinned out, one channel of three: whatever their strides."""
    view = astronaut[turned, turned][..., channels]
    before = view.copy()
    got = read_image(view)
    wanted = view if view.ndim == 3 else np.stack([view] * 3, axis=2)
    assert got.flags["C_CONTIGUOUS"] and got.flags["WRITEABLE"] and got.dtype == np.uint8
    assert np.array_equal(got, wanted)
    assert np.array_equal(view, before)
    assert np.array_equal(from_bgr(view), wanted[..., ::-1])


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 of shape \(4, 4, 3\); uint8 runs from 0 to 255"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4, 4), np.uint8), r"image\[..., :3\]"),
        (np.zeros((3, 8, 9), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
    ],
)
def test_a_wrong_array_says_what_was_expected_and_what_came(array: np.ndarray, says: str) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        read_image(array)
    assert "uint8 of shape (height, width)" in str(caught.value)


@pytest.mark.parametrize("source", [None, 3, 2.5, ["a.jpg"], object(), io.StringIO("text")])
def test_what_is_no_picture_at_all(source: object) -> None:
    with pytest.raises(ImageError, match="expected a path, bytes, a binary file, a PIL image or a numpy array"):
        read_image(source)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        (None, "got NoneType; cv2.imread gives it for a file that it can't read"),
        (["a.jpg", "b.jpg"], "got list; several pictures are for predict_batch"),
        (("a.jpg",), "got tuple; several pictures are for predict_batch"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\); several pictures are for predict_batch"),
        ("", "the name is empty: expected a path"),
    ],
)
def test_what_is_given_by_mistake_says_what_was_meant(source: object, meant: str) -> None:
    with pytest.raises(ImageError, match=meant):
        read_image(source)  # type: ignore[arg-type]  # wrong on purpose


def test_files_that_are_no_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.jpg").write_text("not a picture")
    (tmp_path / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    for name, says in [
        ("absent.jpg", "no such file"),
        ("empty.jpg", "0 bytes"),
        ("notes.jpg", "13 bytes that begin with b'not a pi'"),
        ("phone.jpg", "a HEIC picture; save it as JPEG or PNG first"),
        (".", "folder"),
        ("nul\0.jpg", "can't be opened"),
    ]:
        with pytest.raises(ImageError, match=says) as caught:
            read_image(str(tmp_path / name))
        assert str(tmp_path) in str(caught.value)
    with pytest.raises(ImageError, match="0 bytes"):
        read_image(b"")
    photo = base64.b64encode(bytes(60_000)).decode()
    for text in (f"data:image/jpeg;base64,{photo}", f"{photo}/{photo}"):
        with pytest.raises(ImageError, match=r"this is no path: expected .* bytes: base64\.b64decode") as caught:
            read_image(text)
        assert len(str(caught.value)) < 200
    with pytest.raises(ImageError, match=r"one\.jpg: no such file; of addresses only clips are read"):
        read_image("https://faces.example/one.jpg")


def test_a_tilde_is_a_home_unless_a_folder_is_called_so(
    tmp_path: Path, small: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "work" / "~").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    write_png(tmp_path / "home" / "a.png", small)
    write_png(tmp_path / "home" / "b.png", small)
    write_png(tmp_path / "work" / "~" / "b.png", small[::-1])
    for path in ("~/a.png", Path("~/a.png")):
        assert np.array_equal(read_image(path), small)
        assert image_info(path) == (80, 48, False)
    assert np.array_equal(read_image("~/b.png"), small[::-1])
    with pytest.raises(ImageError, match=r"^~/absent\.png: no such file"):
        read_image("~/absent.png")


@pytest.mark.parametrize(
    "start",
    [b"\0\0\0\x20ftypisom", b"\0\0\0\x14ftypqt  ", b"RIFF\x24\0\0\0AVI LIST", b"\x1a\x45\xdf\xa3\x01\0\0\0"],
    ids=["mp4", "mov", "avi", "mkv"],
)
def test_a_clip_is_told_where_clips_go(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "party").write_bytes(start + bytes(40))
    with pytest.raises(ImageError, match=r"got a clip; clips are for `facemotion video` and stream\(\)"):
        read_image(tmp_path / "party")
    with pytest.raises(ImageError, match="got a clip"):
        read_image(start + bytes(40))


@pytest.mark.parametrize(
    "suffix", ["mp4", "mov", "3gp", "avi", "mkv", "webm", "ogv", "flv", "mpg", "vob", "ts", "m2ts", "wmv"]
)
def test_the_bytes_of_a_clip_of_any_kind_are_told_where_clips_go(tmp_path: Path, ffmpeg: str, suffix: str) -> None:
    clip = tmp_path / f"party.{suffix}"
    # as cameras write a .m2ts: four bytes stand before each packet
    form = ["-mpegts_m2ts_mode", "1"] if suffix == "m2ts" else []
    drawn = ["-f", "lavfi", "-i", "testsrc=size=176x144:duration=0.2"]
    subprocess.run([ffmpeg, "-v", "error", *drawn, *form, clip], check=True)
    with pytest.raises(ImageError, match=r"got a clip; clips are for `facemotion video` and stream\(\)"):
        read_image(clip.read_bytes())


def test_a_large_clip_is_told_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_MEGAPIXELS", 0.001)
    (tmp_path / "party.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(9000))
    with pytest.raises(ImageError, match=r"the file is too large: expected at most 0 MB, got a clip"):
        read_image(tmp_path / "party.mp4")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with pytest.raises(ImageError, match=r"loop\.jpg: the file can't be opened"):
        read_image(loop)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_truncated_picture_is_damaged(astronaut: np.ndarray, kind: str) -> None:
    data = encode(Image.fromarray(astronaut), kind)
    with pytest.raises(ImageError):
        read_image(data[: len(data) // 2])


def test_a_picture_over_the_limit_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header)) + struct.pack(">I", 0) + b"IDAT" + bytes(4)
    with pytest.raises(ImageError):
        read_image(png)
    small = encode(Image.new("RGB", (1000, 1000)), "PNG")
    with pytest.raises(ImageError, match=r"at most 0\.5 megapixels, got 1000 x 1000") as caught:
        read_image(small, max_megapixels=0.5)
    assert "MAX_MEGAPIXELS" in str(caught.value)


def test_what_pillow_itself_refuses_is_said_so() -> None:
    huge = encode(Image.new("1", (20_000, 10_000)), "PNG")
    with pytest.raises(ImageError, match=r"too large: expected .*PIL\.Image\.MAX_IMAGE_PIXELS as well"):
        read_image(huge, max_megapixels=1000)


def test_a_file_object_that_can_t_be_read(tmp_path: Path) -> None:
    with (
        (tmp_path / "a").open("wb") as file,
        pytest.raises(ImageError, match=r"an open binary file, got .*read"),
    ):
        read_image(file)
    closed = io.BytesIO(b"anything")
    closed.close()
    with pytest.raises(ImageError, match="closed file"):
        read_image(closed)


def test_a_file_object_that_was_read_to_its_end_is_told_how_to_begin_again(astronaut_path: Path) -> None:
    with astronaut_path.open("rb") as file:
        whole = read_image(file)
        with pytest.raises(ImageError, match=r"nothing is left to read: .*file\.seek\(0\)"):
            read_image(file)
        file.seek(0)
        assert np.array_equal(read_image(file), whole)


def test_the_limit_can_be_changed_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_MEGAPIXELS", 0.5)
    small = Image.new("RGB", (1000, 1000))
    with pytest.raises(ImageError, match="too large"):
        read_image(encode(small, "PNG"))
    with pytest.raises(ImageError, match="too large"):
        read_image(small)
    assert read_image(small, max_megapixels=2).shape == (1000, 1000, 3)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_header_tells_the_size_that_the_picture_will_have(
    small: np.ndarray, tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(small).save(tmp_path / name, exif=exif)
    height, width = read_image(tmp_path / name).shape[:2]
    assert image_info(tmp_path / name) == (width, height, False)


def test_a_header_tells_whether_there_is_colour_and_what_is_no_picture(small: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(small).convert("L").save(tmp_path / "grey.png")
    assert image_info(tmp_path / "grey.png") == (small.shape[1], small.shape[0], True)
    for content, message in ((b"", "is empty"), (b"some text", "not a picture")):
        (tmp_path / "b.png").write_bytes(content)
        with pytest.raises(ImageError, match=message):
            image_info(tmp_path / "b.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.gif", "a.tif"])
def test_of_a_large_file_no_more_is_read_than_its_header(
    astronaut: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    Image.fromarray(astronaut).resize((1600, 1600)).save(path)
    read: list[int] = []

    class Counted(io.FileIO):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            read.append(super().readinto(buffer) or 0)
            return read[-1]

    monkeypatch.setattr(Path, "open", lambda self, mode: io.BufferedReader(Counted(self)))
    assert image_info(path)[:2] == (1600, 1600)
    assert 0 < sum(read) <= 1 << 16 < path.stat().st_size


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="pipes and files without end are Unix things")
def test_a_header_of_a_pipe_is_read_and_a_device_without_end_refused(small: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(small).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    assert image_info(tmp_path / "pipe") == (small.shape[1], small.shape[0], False)
    writer.join()
    with pytest.raises(ImageError, match="the file is too large"):
        image_info("/dev/zero")


def test_what_is_written_is_read_back(small: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pixels in (small, small[:, :, 0], small[:, :, :1]):
        write_png(tmp_path / "a.png", pixels)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.squeeze(pixels))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_jpeg("~/a.jpg", small[:, :, :1])
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - small[:, :, :1]).mean() < 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "a.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_picture_that_finds_no_room_leaves_the_earlier_one(astronaut: np.ndarray, tmp_path: Path, name: str) -> None:
    write = write_jpeg if name == "a.jpg" else write_png
    write(tmp_path / name, astronaut)
    before = (tmp_path / name).read_bytes()
    np.save(tmp_path / "pixels.npy", astronaut)
    lines = f"""
import resource
import numpy as np
from facemotion.images import {write.__name__}
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) - 1000}, resource.RLIM_INFINITY))
{write.__name__}({name!r}, np.load("pixels.npy"))
"""
    # Python itself ignores the signal that a limit sends, as it has to be for an OSError
    done = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("OSError: ")
    assert (tmp_path / name).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "pixels.npy"])


def test_a_hidden_part_is_written_first_and_nobody_s_file(small: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.png.part").write_text("mine")
    write_png(tmp_path / "a.png", small)
    assert (tmp_path / "a.png.part").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.png.part"]


def test_threads_that_write_one_picture_do_not_meet(small: np.ndarray, tmp_path: Path) -> None:
    def write(_: int) -> None:
        write_png(tmp_path / "a.png", small)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(200)))
    assert np.array_equal(read_image(tmp_path / "a.png"), small)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_whole_numbers_of_32_bits_are_what_they_hold(small: np.ndarray) -> None:
    grey = small[..., 0].astype(np.int32)
    assert np.array_equal(read_image(Image.fromarray(grey))[..., 0], grey)
    assert np.array_equal(read_image(Image.fromarray(grey * 256 + 255))[..., 0], grey)
    with pytest.raises(ImageError, match="neither 8 nor 16 bits: expected whole numbers"):
        read_image(Image.fromarray(grey.astype(np.float32)))


def test_what_opencv_gives_of_no_picture_is_explained() -> None:
    with pytest.raises(ImageError, match=r"not a frame: .* got NoneType; cv2\.imread gives it"):
        from_bgr(None)  # type: ignore[arg-type]  # as from cv2.imread("absent.jpg")
