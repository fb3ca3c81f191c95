"""Any picture in, RGB uint8 out. The only place that knows BGR and file formats; `upright` knows EXIF and alpha."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import TiffImageFile

from facemotion.containers import BEGINNING, jpeg_scans, known_kind
from facemotion.errors import ImageError
from facemotion.file_names import at_home, input_path, without_secrets
from facemotion.upright import orientation_of, upright_rgb
from facemotion.whole_files import growing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.results import Pixels


class Readable(Protocol):
    """An open binary file, or anything else that gives a picture's bytes when it is read."""

    def read(self) -> bytes: ...


ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Readable | Image.Image | NDArray[Any]"

# The largest picture that is read, in millions of pixels, where `read_image` is not told otherwise. It stands just
# under the size at which Pillow itself warns of a decompression bomb.
MAX_MEGAPIXELS = 89.0

# by these a JPEG is known, to be found and to be written
JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
# kinds of pictures that are found, so that somebody is told that they can't be read
_UNREADABLE_SUFFIXES = frozenset({".heic", ".heif", ".avif"})
# by these a picture is known among the files of a folder; whoever names a file may call it anything
PICTURE_SUFFIXES = JPEG_SUFFIXES | _UNREADABLE_SUFFIXES | {".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
# what Pillow calls a JPEG, and one that has more pictures behind the first, as telephones write them
_JPEGS = ("JPEG", "MPO")
_READABLE = "a JPEG, PNG, WebP, BMP, TIFF or GIF picture"
ONLY_CLIPS = "; of addresses only clips are read, by `facemotion video` and stream()"
_WANTED_ARRAY = "uint8 of shape (height, width) or (height, width, 3), in RGB order"
_SEVERAL = "; several pictures are for predict_batch and detect_batch"
# what is given by mistake, and what was meant
_MEANT = {type(None): "; cv2.imread gives it for a file that it can't read", list: _SEVERAL, tuple: _SEVERAL}

# Without a limit of the caller's no picture takes a gigabyte or many seconds. Some kinds are decoded with more memory
# than others: a WebP in several canvases, a progressive CMYK JPEG in all its coefficients. No file needs more than
# four bytes a pixel. A scan of a JPEG costs time for every pixel, however few its bytes.
_SHARE_OF_COSTLY_KINDS = 2 / 3
_BYTES_A_PIXEL = 4
_PIXELS_IN_ALL_SCANS = 25 * MAX_MEGAPIXELS * 1e6

_TIFF_SIZE = (0x0100, 0x0101)

# a path that is longer is none on Linux and macOS, but text may be the picture itself
_LONGEST_PATH = 4096
_NO_TEXT = "a path, or the picture's bytes: base64.b64decode(text)"


def read_image(source: ImageSource, *, max_megapixels: float | None = None) -> Pixels:
    """A picture as an (H, W, 3) uint8 array in RGB order, turned upright.

    source: a path (~ is a home), the bytes of a file, an open binary file, a PIL image, or an array (uint8, RGB or
    grey). An array that is RGB already is given back as it is, not copied.
    max_megapixels: refuse larger pictures; `MAX_MEGAPIXELS` unless given, two thirds of it for WebP and CMYK. Arrays
    are in memory already: no limit.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, max_megapixels, place=None)
    place = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    data = _read_bytes(source, place, max_megapixels)
    with _open(io.BytesIO(data), place) as image:
        if image.format in _JPEGS:
            _check_scans(data, image, place)
        # the file is let go as soon as its pixels are there
        del data
        return _decode(image, max_megapixels, place)


def image_info(path: str | os.PathLike[str]) -> tuple[int, int, bool]:
    """Width, height (as shown upright) and whether it is grey, from a picture's header; its pixels are not read."""
    with _header_of(path) as image:
        # a TIFF's header, since Pillow's size of one is turned already or not, as its version likes
        width, height = (image.tag_v2[tag] for tag in _TIFF_SIZE) if isinstance(image, TiffImageFile) else image.size
        if width != height and orientation_of(image) in (5, 6, 7, 8):
            width, height = height, width
        return width, height, image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;")


def picture_comment(path: str | os.PathLike[str]) -> str:
    """What a JPEG or a PNG says beside its pixels; nothing where it is no picture."""
    try:
        with _header_of(path) as image:
            said = image.info.get("comment", image.info.get("Comment", ""))
    except ImageError:
        return ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def from_bgr(frame: NDArray[Any]) -> Pixels:
    """An OpenCV frame (BGR, or grey) as RGB: `recognizer.predict(from_bgr(frame))`."""
    if not isinstance(frame, np.ndarray):
        raise ImageError("not a frame", expected=_WANTED_ARRAY, got=_kind(frame))
    return _from_array(frame[..., ::-1] if frame.ndim == 3 else frame)


def write_png(path: str | os.PathLike[str], pixels: Pixels, comment: str = "") -> None:
    """Write (H, W), (H, W, 1) or (H, W, 3) pixels as a PNG, which is there whole or not at all. ~ is a home."""
    told = PngInfo()
    if comment:
        told.add_text("Comment", comment)
    _write(path, pixels, "PNG", pnginfo=told)


def write_jpeg(path: str | os.PathLike[str], pixels: Pixels, comment: str = "") -> None:
    """As `write_png`, a JPEG of high quality."""
    _write(path, pixels, "JPEG", quality=95, subsampling=0, comment=comment.encode())


def _write(path: str | os.PathLike[str], pixels: Pixels, kind: str, **options: Any) -> None:
    target = at_home(path)
    # into memory first: where a disk gets full Pillow leaves out the end of a JPEG and says nothing
    file = io.BytesIO()
    Image.fromarray(_without_channel(pixels)).save(file, kind, **options)
    with growing(target) as part:
        part.write_bytes(file.getbuffer())


def _from_array(array: NDArray[Any]) -> Pixels:
    hint = ""
    if array.ndim == 3 and array.shape[2] == 4:
        hint = "; drop the alpha channel: image[..., :3]"
    elif array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        hint = "; the channels come last: image.transpose(1, 2, 0)"
    elif array.ndim == 4:
        hint = _SEVERAL
    elif array.dtype != np.uint8 and array.ndim in (2, 3):
        hint = "; uint8 runs from 0 to 255"
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise ImageError("wrong array", expected=_WANTED_ARRAY, got=f"{array.dtype} of shape {array.shape}{hint}")
    if array.ndim == 2 or array.shape[2] == 1:
        return _converted(_without_channel(array), "COLOR_GRAY2RGB")
    if array.strides[2] == -1:  # OpenCV's order turned round: frame[..., ::-1]
        return _converted(array[..., ::-1], "COLOR_BGR2RGB")
    return np.ascontiguousarray(array)


def _without_channel(pixels: Pixels) -> Pixels:
    """Grey pixels without the axis of their one channel, others as they are."""
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _converted(array: Pixels, how: str) -> Pixels:
    """By OpenCV, since numpy takes from 20 to 40 times as long to move single channels about."""
    from facemotion.opencv import cv2

    rgb: Pixels = cv2.cvtColor(np.ascontiguousarray(array), getattr(cv2, how))
    return rgb


@contextmanager
def _header_of(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """The picture in a file with its header read, and no more of the file than Pillow takes for that."""
    place = os.fspath(path)
    with _opened(place) as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or not 0 < about.st_size <= _most_bytes(None):
            # read as far as is allowed: devices and pipes do not say how much they have
            file = io.BytesIO(_read_file(file, place, None))
        with _open(file, place) as image:
            yield image


def _open(file: BinaryIO, place: str | None) -> Image.Image:
    """The picture in this file with its header read."""
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        size = file.seek(0, os.SEEK_END)
        if not size:
            raise ImageError("the picture is empty", place, expected=_READABLE, got="0 bytes") from None
        file.seek(0)
        start = file.read(BEGINNING)
        got = known_kind(start) or f"{size} bytes that begin with {start[:8]!r}"
        raise ImageError("not a picture", place, expected=_READABLE, got=got) from None
    except Image.DecompressionBombError as error:
        remedy = "a picture that Pillow lets through: raise PIL.Image.MAX_IMAGE_PIXELS as well as max_megapixels"
        raise ImageError("the picture is too large", place, remedy, _reason(error)) from error
    except Exception as error:  # Pillow's parsers raise whatever a hostile header makes them stumble over
        raise ImageError("the picture can't be read", place, expected=_READABLE, got=_reason(error)) from error


def _kind(value: object) -> str:
    return type(value).__name__ + _MEANT.get(type(value), "")


def _opened(place: str) -> BinaryIO:
    if not place:  # a form without a file; as a path it would be the folder one is in
        raise ImageError("the name is empty", expected=_NO_TEXT)
    if place.startswith("data:"):
        raise ImageError("this is no path", f"{place[:40]}...", _NO_TEXT)
    try:
        return input_path(place).open("rb")
    except FileNotFoundError:
        raise ImageError(f"no such file{ONLY_CLIPS if '://' in place else ''}", without_secrets(place)) from None
    except IsADirectoryError:
        raise ImageError("this is a folder", place, expected=_READABLE) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if len(place) > _LONGEST_PATH:
            raise ImageError("this is no path", f"{place[:40]}...", _NO_TEXT, f"{len(place)} letters") from None
        raise ImageError("the file can't be opened", place, got=_reason(error)) from error


def _read_file(file: BinaryIO, place: str, max_megapixels: float | None) -> bytes:
    most = _most_bytes(max_megapixels)
    try:
        data = file.read(most + 1)
    except OSError as error:
        raise ImageError("the file can't be read", place, got=_reason(error)) from error
    if len(data) > most:
        got = known_kind(data) or "more"
        raise ImageError("the file is too large", place, f"at most {most / 1e6:.0f} MB", got)
    return data


def _most_bytes(max_megapixels: float | None) -> int:
    return round(max(max_megapixels or 0, MAX_MEGAPIXELS) * 1e6 * _BYTES_A_PIXEL)


def _read_bytes(source: Any, place: str | None, max_megapixels: float | None) -> bytes:
    if place is not None:
        with _opened(place) as file:
            return _read_file(file, place, max_megapixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        data = source.read() if hasattr(source, "read") else source
    except ImageError:  # of a reader that knows what is wrong
        raise
    except (OSError, ValueError) as error:  # ValueError: the file is closed already
        raise ImageError("the file can't be read", expected="an open binary file", got=_reason(error)) from error
    if not isinstance(data, bytes):
        kinds = "a path, bytes, a binary file, a PIL image or a numpy array"
        raise ImageError("not a picture", expected=kinds, got=_kind(data))
    if not data and hasattr(source, "seek"):
        raise ImageError("nothing is left to read", expected=_READABLE, got="0 bytes; read before? file.seek(0)")
    return data


def _check_scans(data: bytes, image: Image.Image, place: str | None) -> None:
    """Refuse a JPEG that makes few bytes much work: each scan goes over all pixels again."""
    scans = jpeg_scans(data)
    if scans * image.width * image.height > _PIXELS_IN_ALL_SCANS:
        got = f"{scans} scans of {image.width} x {image.height} pixels"
        raise ImageError("the picture is too much work", place, "a JPEG with fewer scans", got)


def _decode(image: Image.Image, max_megapixels: float | None, place: str | None) -> Pixels:
    size = f"{image.width} x {image.height}"
    limit = max_megapixels
    if limit is None:
        costly = image.format == "WEBP" or (image.format in _JPEGS and image.mode == "CMYK")
        limit = round(MAX_MEGAPIXELS * _SHARE_OF_COSTLY_KINDS) if costly else MAX_MEGAPIXELS
    if image.width * image.height > limit * 1e6:
        got = f"{size}; see facemotion.images.MAX_MEGAPIXELS"
        raise ImageError("the picture is too large", place, f"at most {limit:g} megapixels", got)
    if image.width == 0 or image.height == 0:
        raise ImageError("the picture is empty", place, expected="at least one pixel", got=size)
    try:
        image.load()
        return upright_rgb(image)
    except ImageError as error:
        raise ImageError(error.what, place, error.expected, error.got) from None
    except Exception as error:  # Pillow's decoders raise whatever damaged pixels make them stumble over
        raise ImageError("the picture is damaged", place, f"{size} pixels", _reason(error)) from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
