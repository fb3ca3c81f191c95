"""Augmentation of a whole batch in tensors: what a recipe's table [augment] names.

What is done to each sample is drawn first, as numbers, for the whole batch. So a process that works on a part of a
batch, or a training that goes on after a stop, does to each sample just what one process without a stop would.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from facemotion.inputs import InputSpec
    from facemotion.recipes.tables import Augment

    Numbers = NDArray[np.float32]

# an erased rectangle: its share of the picture, and how much longer than wide it may be
_ERASED_AREA = (0.02, 0.33)
_ERASED_ASPECT = 3.3


@dataclass(frozen=True)
class Draws:
    """What is done to each sample of a batch.

    theta: (n, 2, 3), from places in the result to places in the picture, on a scale of -1 to 1; None leaves all as is.
    mirrored: (n,). brightness, contrast, sharpness: (n,) factors. noise: (n, 1, S, S), added to every channel.
    erased: (n, 4): left, top, right, bottom as shares, all 0 for none.
    """

    theta: Numbers | None
    mirrored: NDArray[np.bool_] | None
    brightness: Numbers | None
    contrast: Numbers | None
    sharpness: Numbers | None
    noise: Numbers | None
    erased: Numbers | None

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The draws of some samples alone."""
        parts = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(**{name: None if values is None else values[rows] for name, values in parts.items()})


@dataclass(frozen=True)
class Mixing:
    """Who is mixed with whom: sample i keeps `kept[i]` of itself, or all but a rectangle, and gets `partner[i]`'s rest.

    box: (n, 4) as shares for cutmix, None for mixup.
    """

    partner: NDArray[np.int64]
    kept: Numbers
    box: Numbers | None


def draw(settings: Augment, count: int, random: np.random.Generator, spec: InputSpec) -> Draws:
    """Draw what is done to each sample of a batch, mixing apart."""
    # always as many numbers: what is turned on or off changes only what is drawn after them, as noise and mixing
    numbers = random.random((12, count), np.float32)
    moved = settings.crop < 1 or settings.widen > 0 or settings.rotation > 0 or settings.shift > 0
    mirrored = numbers[0] < settings.flip
    return Draws(
        theta=_theta(settings, mirrored, numbers[1:7]) if moved else None,
        mirrored=mirrored if settings.flip > 0 and not moved else None,
        brightness=_factor(settings.brightness, numbers[7]) if settings.brightness > 0 else None,
        contrast=_factor(settings.contrast, numbers[8]) if settings.contrast > 0 else None,
        sharpness=_factor(settings.sharpness, numbers[10]) if settings.sharpness > 0 else None,
        erased=_erased(settings.erasing, numbers[9], random) if settings.erasing > 0 else None,
        noise=_noise(settings.noise * numbers[11], random, spec.size) if settings.noise > 0 else None,
    )


def draw_mixing(settings: Augment, count: int, random: np.random.Generator) -> Mixing | None:
    """Draw who is mixed with whom. With mixup and cutmix both on, each batch gets one of them."""
    kinds = [kind for kind in ("mixup", "cutmix") if getattr(settings, kind) > 0]
    if not kinds or count < 2:
        return None
    kind = kinds[int(random.integers(len(kinds)))]
    alpha = getattr(settings, kind)
    partner = random.permutation(count)
    kept = random.beta(alpha, alpha, count).astype(np.float32)
    if kind == "mixup":
        return Mixing(partner, kept, None)
    side = np.sqrt(1 - kept)
    centre = random.random((2, count), np.float32)
    low, high = np.clip(centre - side / 2, 0, 1), np.clip(centre + side / 2, 0, 1)
    return Mixing(partner, kept, np.stack([low[0], low[1], high[0], high[1]], axis=1))


def transform(pictures: torch.Tensor, draws: Draws | None, spec: InputSpec) -> torch.Tensor:
    """Pictures (n, C, H, W) uint8, augmented and normalised, as (n, spec.channels, spec.size, spec.size) float32.

    Grey pictures become RGB where the network wants it, small ones grow, in the same step as they are turned.
    """
    images = pictures.float().div_(255)
    if draws is not None and draws.theta is not None:
        shape = [len(images), images.shape[1], spec.size, spec.size]
        grid = functional.affine_grid(_beside(images, draws.theta), shape, align_corners=False)
        images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    elif images.shape[2:] != (spec.size, spec.size):
        images = functional.interpolate(images, (spec.size, spec.size), mode="bilinear", align_corners=False)
    if draws is not None:
        images = _colour(images, draws)
    if images.shape[1] < spec.channels:
        images = images.expand(-1, spec.channels, -1, -1)
    mean, std = (_beside(images, np.array(values, np.float32)).view(1, -1, 1, 1) for values in (spec.mean, spec.std))
    images = (images - mean).div_(std)
    if draws is not None and draws.erased is not None:
        # zero, which is the mean colour
        images = images.masked_fill_(_inside(_beside(images, draws.erased), spec.size), 0)
    return images


def mix(
    images: torch.Tensor, others: torch.Tensor, targets: torch.Tensor, their_targets: torch.Tensor, mixing: Mixing
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and targets mixed with their partners'. `mixing` has a row for each image."""
    if mixing.box is None:
        kept = _beside(images, mixing.kept)
        images = torch.lerp(others, images, kept.view(-1, 1, 1, 1))
    else:
        inside = _inside(_beside(images, mixing.box), images.shape[-1])
        images = torch.where(inside, others, images)
        # what is kept is counted in pixels: a rectangle is cut at the border
        kept = 1 - inside.flatten(1).float().mean(dim=1)
    return images, torch.lerp(their_targets, targets, kept.view(-1, 1))


def _theta(settings: Augment, mirrored: NDArray[np.bool_], numbers: Numbers) -> Numbers:
    """One map for cropping, turning, shifting and mirroring, so that pixels are sampled once."""
    angle = np.deg2rad(settings.rotation) * (2 * numbers[0] - 1)
    side = settings.crop + (1 + settings.widen - settings.crop) * numbers[1]
    centre = (2 * numbers[2:4] - 1) * (1 - side) + 2 * settings.shift * (2 * numbers[4:6] - 1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * side
    turn[:, 0] *= np.where(mirrored, -1, 1)
    theta: Numbers = np.concatenate([turn, centre[:, None]], axis=1).transpose(2, 0, 1).astype(np.float32)
    return np.ascontiguousarray(theta)


def _factor(change: float, numbers: Numbers) -> Numbers:
    return (1 + change * (2 * numbers - 1)).astype(np.float32)


def _noise(strength: Numbers, random: np.random.Generator, size: int) -> Numbers:
    return strength[:, None, None, None] * random.standard_normal((len(strength), 1, size, size), np.float32)


def _erased(chance: float, numbers: Numbers, random: np.random.Generator) -> Numbers:
    area, aspect, left, top = random.random((4, len(numbers)), np.float32)
    area = _ERASED_AREA[0] + (_ERASED_AREA[1] - _ERASED_AREA[0]) * area
    aspect = _ERASED_ASPECT ** (2 * aspect - 1)
    width, height = np.minimum(np.sqrt(area * aspect), 1), np.minimum(np.sqrt(area / aspect), 1)
    left, top = left * (1 - width), top * (1 - height)
    box = np.stack([left, top, left + width, top + height], axis=1)
    return (box * (numbers < chance)[:, None]).astype(np.float32)


def _colour(images: torch.Tensor, draws: Draws) -> torch.Tensor:
    if draws.mirrored is not None:
        images = torch.where(_beside(images, draws.mirrored).view(-1, 1, 1, 1), images.flip(3), images)
    if draws.brightness is not None:
        images = images * _beside(images, draws.brightness).view(-1, 1, 1, 1)
    if draws.contrast is not None:
        # about the mean of each picture, so that contrast leaves brightness as it is
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = torch.lerp(mean, images, _beside(images, draws.contrast).view(-1, 1, 1, 1))
    if draws.sharpness is not None:
        # towards the mean of each pixel's neighbourhood, or away from it
        blurred = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
        images = torch.lerp(blurred, images, _beside(images, draws.sharpness).view(-1, 1, 1, 1))
    if draws.noise is not None:
        noise = _beside(images, draws.noise)
        if noise.shape[2:] != images.shape[2:]:  # a teacher sees the network's own noise at its own size
            noise = functional.interpolate(noise, images.shape[2:], mode="bilinear", align_corners=False)
        images = images + noise
    changes = (draws.brightness, draws.contrast, draws.sharpness, draws.noise)
    return images.clamp_(0, 1) if any(change is not None for change in changes) else images


def tensor_on(device: torch.device, numbers: NDArray[Any]) -> torch.Tensor:
    """The numbers on a device, without waiting for what the device has still to do."""
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def _beside(images: torch.Tensor, numbers: NDArray[Any]) -> torch.Tensor:
    """The numbers on the device on which the images are."""
    return tensor_on(images.device, numbers)


def _inside(boxes: torch.Tensor, size: int) -> torch.Tensor:
    """(n, 1, size, size): the pixels whose centres lie in each box."""
    left, top, right, bottom = boxes.unbind(1)
    centre = (torch.arange(size, device=boxes.device) + 0.5) / size
    across = (centre >= left[:, None]) & (centre < right[:, None])
    down = (centre >= top[:, None]) & (centre < bottom[:, None])
    return (down[:, :, None] & across[:, None, :])[:, None]
