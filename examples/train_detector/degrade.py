"""What happens to faces and photographs: skin tones, things held before a face, bad light, bad cameras."""

from __future__ import annotations

import cv2
import numpy as np

# Lit skin in BGR, from light to dark, in three groups that are reported apart.
TONES = {
    "light": [(200, 214, 240), (176, 198, 232), (160, 184, 222)],
    "medium": [(120, 150, 200), (100, 132, 184), (84, 116, 166)],
    "dark": [(62, 86, 130), (48, 66, 102), (38, 50, 78)],
}


def is_grey(image: np.ndarray) -> bool:
    small = image[::4, ::4].astype(np.int16)
    return int(np.abs(small - small[..., :1]).max()) < 24


def contrast(image: np.ndarray, box: np.ndarray) -> float:
    """The spread of the grey levels in a box."""
    x1, y1, x2, y2 = box.astype(int).clip(0)
    inside = image[y1 : y2 + 1, x1 : x2 + 1]
    return float(inside.mean(axis=2).std()) if inside.size else 0.0


def colour_skin(rng: np.random.Generator, image: np.ndarray, group: str) -> np.ndarray:
    """A grey face as if its skin had a tone of `group`."""
    tone = np.array(TONES[group][rng.integers(3)], np.float32) * rng.uniform(0.9, 1.1)
    # An underexposed face is not a dark one: bring it to middling light before giving it a tone.
    gain = float(np.clip(140 / max(1.0, float(np.median(image))), 0.8, 1.5))
    light = (np.linspace(0, 1, 256, dtype=np.float32)[:, None] * gain).clip(0, 1)
    # The usual skin of a grey picture lies near 0.62; above it highlights go to white, below it shade to black.
    lower = tone * (light / 0.62) ** rng.uniform(1.0, 1.3)
    upper = tone + (255 - tone) * ((light - 0.62) / 0.38) * rng.uniform(0.4, 0.9)
    table = np.where(light < 0.62, lower, upper).clip(0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def occlude(rng: np.random.Generator, image: np.ndarray, box: np.ndarray, points: np.ndarray) -> None:
    """Put a hand, glasses, a mask, a hat or a bar before the face, in place."""
    width = float(box[2] - box[0])
    kind = rng.choice(["hand", "glasses", "mask", "hat", "bar"], p=[0.25, 0.3, 0.25, 0.1, 0.1])
    eyes, mouth = points[:2], points[3:]
    across = eyes[1] - eyes[0]
    down = np.array([-across[1], across[0]])
    grey = float(rng.uniform(10, 240))
    colour = tuple(float(v) for v in np.clip(grey + rng.normal(0, 25, 3), 0, 255))
    layer = image.copy()

    def polygon(corners: list[np.ndarray]) -> None:
        cv2.fillConvexPoly(layer, cv2.convexHull(np.array(corners, np.float32).round().astype(np.int32)), colour)

    if kind == "glasses":
        dark = tuple(v * 0.25 for v in colour)
        radius = max(1, int(np.linalg.norm(across) * rng.uniform(0.3, 0.42)))
        thick = max(1, int(width * rng.uniform(0.02, 0.05)))
        for eye in eyes:
            cv2.circle(layer, point(eye), radius, dark, -1 if rng.random() < 0.5 else thick, cv2.LINE_AA)
        cv2.line(layer, point(eyes[0]), point(eyes[1]), dark, thick, cv2.LINE_AA)
        cv2.line(layer, point(eyes[0]), point(eyes[0] - across * 0.8), dark, thick, cv2.LINE_AA)
        cv2.line(layer, point(eyes[1]), point(eyes[1] + across * 0.8), dark, thick, cv2.LINE_AA)
    elif kind == "mask":
        nose = points[2]
        wide = across * rng.uniform(0.75, 1.0)
        middle = mouth.mean(axis=0)
        polygon([nose - wide * 0.9, nose - down * 0.15, nose + wide * 0.9, middle + wide * 0.8, middle - wide * 0.8,
                 middle + down * 0.75 - wide * 0.4, middle + down * 0.75 + wide * 0.4])  # fmt: skip
    elif kind == "hand":
        skin = np.array(TONES[str(rng.choice(list(TONES)))][rng.integers(3)], np.float32) * rng.uniform(0.7, 1.05)
        colour = tuple(float(v) for v in skin.clip(0, 255))
        start = points[rng.integers(2, 5)] + rng.normal(0, 0.15, 2) * width
        along = rng.normal(0, 1, 2)
        along /= np.linalg.norm(along) + 1e-6
        side = np.array([-along[1], along[0]])
        finger = width * rng.uniform(0.1, 0.16)
        for n in range(int(rng.integers(2, 5))):
            root = start + side * finger * 1.05 * n
            tip = root + along * width * rng.uniform(0.4, 0.8)
            shade = tuple(v * (0.8 + 0.05 * n) for v in colour)
            cv2.line(layer, point(root), point(tip), shade, max(1, int(finger)), cv2.LINE_AA)
    elif kind == "hat":
        top = eyes.mean(axis=0) - down * rng.uniform(0.35, 0.6)
        polygon([top - across * 1.2, top + across * 1.2, top - down * 1.2 - across, top - down * 1.2 + across])
    else:
        centre = points[rng.integers(5)]
        way = rng.normal(0, 1, 2)
        way *= width / (np.linalg.norm(way) + 1e-6)
        thick = max(1, int(width * rng.uniform(0.08, 0.2)))
        cv2.line(layer, point(centre - way), point(centre + way), colour, thick, cv2.LINE_AA)
    if rng.random() < 0.5:
        layer = cv2.GaussianBlur(layer, (3, 3), 0) if width > 40 else layer
    np.copyto(image, layer)


def point(xy: np.ndarray) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def spoil(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The whole frame as a poor camera in poor light would give it; half of the frames stay as they are."""
    if rng.random() < 0.5:
        return image
    if rng.random() < 0.35:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    light = rng.random()
    scale = np.linspace(0, 1, 256, dtype=np.float32)
    if light < 0.3:  # dim
        scale = scale ** rng.uniform(1.0, 1.7) * rng.uniform(0.3, 0.8)
    elif light < 0.5:  # overexposed
        scale = scale ** rng.uniform(0.6, 1.0) * rng.uniform(1.1, 1.6)
    elif light < 0.65:  # flat
        scale = 0.5 + (scale - 0.5) * rng.uniform(0.3, 0.7) + rng.uniform(-0.15, 0.15)
    if light < 0.65:
        image = cv2.LUT(image, (scale * 255).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.15:  # light from one side
        ramp = np.linspace(rng.uniform(0.3, 1), rng.uniform(0.3, 1), image.shape[1], dtype=np.float32)
        image = (image * ramp[None, :, None]).astype(np.uint8)
    blur = rng.random()
    if blur < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.4))
    elif blur < 0.3:
        size = int(rng.integers(3, 6))
        kernel = np.zeros((size, size), np.float32)
        cv2.line(kernel, (0, int(rng.integers(size))), (size - 1, int(rng.integers(size))), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if rng.random() < 0.35:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
        cv2.randn(noise, 0, float(rng.uniform(3, 13)))
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.4:
        code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])[1]
        image = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return image
