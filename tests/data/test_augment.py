from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import Drawn

from facemotion import InputSpec
from facemotion.data.augment import draw, draw_mixing, mix, transform
from facemotion.recipes.tables import Augment

PLAIN = InputSpec(mean=(0.0,), std=(1.0,))
NOTHING = Augment(flip=0)
SEED = 5


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images)[:, None]


def augmented(images: np.ndarray, settings: Augment, spec: InputSpec = PLAIN, seed: int = SEED) -> np.ndarray:
    draws = draw(settings, len(images), np.random.default_rng(seed), spec)
    return transform(tensor(images), draws, spec).numpy()[:, 0]


def test_nothing_is_nothing(drawn: Drawn) -> None:
    np.testing.assert_array_equal(augmented(drawn.images, NOTHING), drawn.images.astype(np.float32) / 255)


@pytest.mark.parametrize("shift", [0.0, 1e-9])
def test_a_flip_mirrors_the_share_it_says(drawn: Drawn, shift: float) -> None:
    many = np.tile(drawn.images, (20, 1, 1))
    got = augmented(many, Augment(flip=0.3, shift=shift))
    plain = many.astype(np.float32) / 255
    mirrored = np.abs(got - plain[:, :, ::-1]).max(axis=(1, 2)) < 1e-3
    same = np.abs(got - plain).max(axis=(1, 2)) < 1e-3
    assert (mirrored ^ same).all()
    assert 0.22 < mirrored.mean() < 0.38


def test_a_rotation_is_what_pillow_turns(drawn: Drawn) -> None:
    images = drawn.images[:8]
    draws = draw(Augment(flip=0, rotation=30), 8, np.random.default_rng(SEED), PLAIN)
    got = transform(tensor(images), draws, PLAIN).numpy()[:, 0]
    theta = draws.theta
    assert theta is not None
    angles = np.degrees(np.arctan2(theta[:, 1, 0], theta[:, 0, 0]))
    assert angles.min() < -5 and angles.max() > 5 and np.abs(angles).max() <= 30
    inner = slice(12, 36)
    for image, angle, mine in zip(images, angles, got, strict=True):
        # Pillow turns counter-clockwise, and its result looks back into the picture as theta does
        turned = np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR), np.float32) / 255
        assert np.abs(turned - mine)[inner, inner].max() < 0.02


def test_a_crop_stays_within_the_picture_and_is_as_large_as_it_says() -> None:
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (200, 1, 1)).repeat(48, axis=1)
    got = augmented(ramp, Augment(flip=0, crop=0.5)) * 255 / 5
    spans = got[:, 24, -1] - got[:, 24, 0]
    # between the centres of the first and the last pixel of the result
    assert 0.5 * 47 - 0.6 <= spans.min() < 0.6 * 47 < 0.9 * 47 < spans.max() <= 47
    assert got[:, 24, 0].min() < 4 and got[:, 24, -1].max() > 43


def test_a_shift_moves_by_the_share_it_says() -> None:
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (200, 1, 1)).repeat(48, axis=1)
    moved = augmented(ramp, Augment(flip=0, shift=0.125))[:, 24, 24] * 255 / 5 - 24
    assert -6.01 <= moved.min() < -4 and 4 < moved.max() <= 6.01


def test_brightness_and_contrast_change_what_they_say(drawn: Drawn) -> None:
    grey = np.full((300, 8, 8), 100, np.uint8)
    factors = (
        augmented(grey, Augment(flip=0, brightness=0.3), InputSpec(size=8, mean=(0.0,), std=(1.0,)))[:, 0, 0] * 2.55
    )
    assert 0.69 < factors.min() < 0.75 and 1.25 < factors.max() < 1.31
    low = np.clip(drawn.images, 90, 160)
    got = augmented(low, Augment(flip=0, contrast=0.4))
    plain = low.astype(np.float32) / 255
    np.testing.assert_allclose(got.mean(axis=(1, 2)), plain.mean(axis=(1, 2)), atol=1e-5)
    ratio = got.std(axis=(1, 2)) / plain.std(axis=(1, 2))
    assert 0.59 < ratio.min() < 0.8 and 1.2 < ratio.max() < 1.41


def test_no_pixel_leaves_the_scale(drawn: Drawn) -> None:
    got = augmented(drawn.images, Augment(flip=0, brightness=0.8, contrast=0.8))
    assert got.min() == 0 and got.max() == 1


def test_widening_shows_more_than_the_picture_with_its_border_going_on() -> None:
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (200, 1, 1)).repeat(48, axis=1)
    got = augmented(ramp, Augment(flip=0, widen=0.25)) * 255 / 5
    steps = got[:, 24, 25] - got[:, 24, 24]
    assert 0.999 <= steps.min() < 1.03 and 1.2 < steps.max() <= 1.26
    assert got[:, 24, 0].max() < 0.1 and got[:, 24, -1].min() > 46


def test_sharpness_goes_from_blurred_to_sharpened() -> None:
    dot = np.full((400, 9, 9), 100, np.uint8)
    dot[:, 4, 4] = 145
    got = augmented(dot, Augment(flip=0, sharpness=0.6), InputSpec(size=9, mean=(0.0,), std=(1.0,))) * 255
    # the neighbourhood's mean is 105: the dot stands 40 above it, times 0.4 to 1.6
    assert 121 <= got[:, 4, 4].min() < 123 and 167 < got[:, 4, 4].max() <= 169
    np.testing.assert_allclose(got[:, 0, 0], 100, atol=1e-3)


def test_noise_is_as_strong_as_it_says_and_differs_between_faces() -> None:
    got = augmented(np.full((300, 48, 48), 128, np.uint8), Augment(flip=0, noise=0.05)) - 128 / 255
    strengths = got.std(axis=(1, 2))
    assert strengths.min() < 0.002 and 0.047 < strengths.max() < 0.053
    assert abs(got.mean()) < 1e-3 and abs(np.corrcoef(got[0].ravel(), got[1].ravel())[0, 1]) < 0.1


def test_erasing_blanks_a_rectangle_in_the_share_it_says() -> None:
    white = np.full((400, 48, 48), 255, np.uint8)
    got = augmented(white, Augment(flip=0, erasing=0.25), InputSpec())
    blank = got == 0
    touched = blank.any(axis=(1, 2))
    assert 0.18 < touched.mean() < 0.32
    for mask in blank[touched]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.01 < mask.mean() < 0.36


def test_a_grey_face_becomes_rgb_of_another_size_and_is_normalised(drawn: Drawn) -> None:
    spec = InputSpec(size=224, colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    got = transform(tensor(drawn.images[:2]), draw(NOTHING, 2, np.random.default_rng(0), spec), spec).numpy()
    assert got.shape == (2, 3, 224, 224)
    back = got * np.reshape(spec.std, (1, 3, 1, 1)) + np.reshape(spec.mean, (1, 3, 1, 1))
    large = np.asarray(Image.fromarray(drawn.images[0]).resize((224, 224), Image.Resampling.BILINEAR)) / 255
    for channel in range(3):
        np.testing.assert_allclose(back[0, channel], large, atol=0.01)


def test_turning_one_thing_on_leaves_the_others_as_they_were() -> None:
    first = draw(Augment(rotation=10, brightness=0.2), 28, np.random.default_rng(1), PLAIN)
    more = Augment(rotation=10, brightness=0.2, contrast=0.3, sharpness=0.3, noise=0.1, erasing=0.5)
    second = draw(more, 28, np.random.default_rng(1), PLAIN)
    np.testing.assert_array_equal(first.theta, second.theta)
    np.testing.assert_array_equal(first.brightness, second.brightness)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_mixing_mixes_targets_as_it_mixes_pixels(kind: str) -> None:
    # each image is flat, and its value is its target: the mean of the mixture has to be the mixture of the targets
    values = torch.arange(64) / 63
    images = values.view(-1, 1, 1, 1).expand(-1, 1, 48, 48)
    targets = torch.stack([values, 1 - values], dim=1)
    mixing = draw_mixing(Augment(**{kind: 1.0}), 64, np.random.default_rng(2))
    assert mixing is not None
    mixed, shares = mix(images, images[mixing.partner], targets, targets[mixing.partner], mixing)
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), shares[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(64))
    assert (shares[:, 0] - values).abs().max() > 0.2
    distinct = [len(image.unique()) for image in mixed]
    assert max(distinct) == (1 if kind == "mixup" else 2)
