from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_sets import Drawn

from facemotion import DataError, InputSpec, UnknownNameError, read_data
from facemotion.data.loaders import Batch, Loader, class_weights
from facemotion.data.prepare import prepare
from facemotion.data.samples import Samples
from facemotion.recipes.tables import Augment

EVERYTHING = Augment(
    crop=0.8, rotation=10, shift=0.05, brightness=0.2, contrast=0.2, noise=0.02, erasing=0.5, mixup=0.4, cutmix=1.0
)


@pytest.fixture
def samples(drawn: Drawn) -> Samples:
    return Samples.from_arrays(drawn.images, drawn.targets, "fer7", splits=drawn.usage)


def assert_same(left: list[Batch], right: list[Batch]) -> None:
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.labels, other.labels)
        np.testing.assert_array_equal(one.indices, other.indices)


@pytest.mark.parametrize("sampling", ["order", "shuffle", "balanced"])
def test_one_seed_gives_the_same_batches_for_any_number_of_workers_and_after_a_resume(
    samples: Samples, sampling: str
) -> None:
    def batches(workers: int = 0, start: int = 0, seed: int = 7, epoch: int = 3) -> list[Batch]:
        loader = Loader(
            samples, InputSpec(), batch_size=5, seed=seed, augment=EVERYTHING, sampling=sampling, workers=workers
        )  # type: ignore[arg-type]  # parametrised as text
        return list(loader.epoch(epoch, start))

    plain = batches()
    assert [len(batch.labels) for batch in plain] == [5] * 5 + [3]
    for workers in (1, 2, 4):
        assert_same(batches(workers), plain)
    for start in (0, 2, 5, 6):
        assert_same(batches(2, start), plain[start:])
    assert not torch.equal(batches(seed=8)[0].images, plain[0].images)
    assert not torch.equal(batches(epoch=4)[0].images, plain[0].images)


@pytest.mark.parametrize("mixing", [False, True])
def test_several_processes_make_together_the_batches_of_one(samples: Samples, mixing: bool) -> None:
    def batches(rank: int, world_size: int) -> list[Batch]:
        loader = Loader(samples, InputSpec(), batch_size=12, augment=EVERYTHING, rank=rank, world_size=world_size)
        return list(loader.epoch(1, mixing=mixing))

    whole = batches(0, 1)
    parts = [batches(rank, 3) for rank in range(3)]
    for step, batch in enumerate(whole):
        joined = torch.cat([part[step].images for part in parts])
        torch.testing.assert_close(joined, batch.images, atol=1e-6, rtol=0)
        torch.testing.assert_close(torch.cat([part[step].targets for part in parts]), batch.targets)
        assert all(part[step].size == batch.size for part in parts)


def test_every_batch_of_an_epoch_is_augmented_in_its_own_way(drawn: Drawn) -> None:
    same = Samples.from_arrays(np.repeat(drawn.images[:1], 8, axis=0), [0] * 8, "fer7")
    first, second = Loader(same, InputSpec(), batch_size=4, augment=Augment(rotation=20)).epoch(0)
    assert not torch.equal(first.images, second.images)


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_batch_mixes_targets_as_it_mixes_pixels(kind: str, world_size: int) -> None:
    # black is the first label and white the second: the share of white is the target
    white = np.arange(20) % 2
    faces = np.broadcast_to((white * 255).astype(np.uint8)[:, None, None], (20, 48, 48))
    samples = Samples.from_arrays(faces, white, ["black", "white"])
    spec, settings = InputSpec(mean=(0.0,), std=(1.0,)), Augment(flip=0, **{kind: 1.0})
    for rank in range(world_size):
        [batch] = Loader(samples, spec, batch_size=20, augment=settings, rank=rank, world_size=world_size).epoch(0)
        torch.testing.assert_close(batch.images.mean(dim=(1, 2, 3)), batch.targets[:, 1], atol=1e-5, rtol=0)
        assert ((batch.targets > 0.1) & (batch.targets < 0.9)).any()


def test_a_close_crop_shows_what_the_whole_picture_has_no_pixels_for() -> None:
    stripes = np.broadcast_to(np.arange(64, dtype=np.uint8) % 2 * 255, (40, 64, 64))
    samples = Samples.from_arrays(stripes, np.arange(40) % 7, "fer7")
    spec = InputSpec(size=32)
    [whole] = Loader(samples, spec, batch_size=40).epoch(0)
    [close] = Loader(samples, spec, batch_size=40, augment=Augment(crop=0.5)).epoch(0)
    assert whole.images.std() < 0.01
    assert close.images.std(dim=(1, 2, 3)).max() > 0.5


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_teachers_are_shown_their_own_sizes_of_the_same_part(samples: Samples, mixing: str) -> None:
    sizes, settings = (24, 32, 48), replace(EVERYTHING, noise=0, **{mixing: 0})
    learning = Loader(samples, InputSpec(size=32), batch_size=10, shown_sizes=sizes, augment=settings).epoch(0)
    own = [Loader(samples, InputSpec(size=size), batch_size=10, augment=settings).epoch(0) for size in sizes]
    for batch, *wanted in zip(learning, *own, strict=True):
        assert batch.images.shape[2:] == (32, 32)
        for size, alone in zip(sizes, wanted, strict=True):
            assert torch.equal(batch.shown[size], alone.images)


def test_teachers_are_shown_the_noise_that_the_network_is_fed() -> None:
    spec, grey = (
        InputSpec(size=32),
        Samples.from_arrays(np.full((20, 64, 64), 128, np.uint8), np.arange(20) % 7, "fer7"),
    )
    settings = Augment(crop=0.9, noise=0.1)
    for batch in Loader(grey, spec, batch_size=10, shown_sizes=(32, 48), augment=settings).epoch(0):
        assert torch.equal(batch.shown[32], batch.images)
        grown = torch.nn.functional.interpolate(batch.images, (48, 48), mode="bilinear", align_corners=False)
        assert batch.images.std() > 0.05
        torch.testing.assert_close(batch.shown[48], grown, atol=1e-4, rtol=0)


def test_what_a_network_is_fed_does_not_hang_on_what_its_teachers_are_shown(samples: Samples) -> None:
    spec, settings = InputSpec(size=24), replace(EVERYTHING, cutmix=0)
    alone, taught = (
        list(Loader(samples, spec, batch_size=10, shown_sizes=shown, augment=settings).epoch(0))
        for shown in ((), (48,))
    )
    assert_same(taught, alone)


def test_without_augmentation_a_batch_is_what_inference_sees(samples: Samples, drawn: Drawn) -> None:
    spec = InputSpec(size=60, colour="rgb", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    [batch] = Loader(samples, spec, batch_size=28, sampling="order").epoch(0)
    wanted = (samples.crops(spec) / 255 - np.array(spec.mean)) / np.array(spec.std)
    np.testing.assert_allclose(batch.images.numpy(), wanted.transpose(0, 3, 1, 2), atol=1e-5)
    np.testing.assert_array_equal(batch.labels.numpy(), drawn.targets)
    np.testing.assert_array_equal(batch.targets.numpy(), np.eye(7)[drawn.targets])


def test_all_of_a_batch_is_made_on_the_device_it_is_wanted_on(samples: Samples) -> None:
    # the device without memory: it refuses whatever comes from another one
    for augment in (Augment(flip=0.5), *(replace(EVERYTHING, **{kind: 0.0}) for kind in ("mixup", "cutmix"))):
        for batch in Loader(samples, InputSpec(), batch_size=14, augment=augment, device="meta").epoch(0):
            assert {batch.images.device.type, batch.targets.device.type, batch.labels.device.type} == {"meta"}
            assert batch.images.shape == (14, 1, 48, 48)


def test_an_epoch_takes_every_sample_once(samples: Samples) -> None:
    loader = Loader(samples, InputSpec(), batch_size=5)
    first, second = (np.concatenate([batch.indices for batch in loader.epoch(number)]) for number in (0, 1))
    assert sorted(first) == sorted(second) == list(range(28))
    assert first.tolist() != second.tolist()
    dropping = Loader(samples, InputSpec(), batch_size=5, drop_last=True)
    assert len(dropping) == 5 == len(list(dropping.epoch(0)))


def test_a_sampling_that_there_is_not(samples: Samples) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'shuffle'"):
        Loader(samples, InputSpec(), batch_size=4, sampling="shuffled")


def test_balanced_sampling_takes_every_class_equally_often(drawn: Drawn) -> None:
    targets = np.array([0] * 20 + [1] * 6 + [2] * 2)
    loader = Loader(Samples.from_arrays(drawn.images, targets, "fer7"), InputSpec(), batch_size=28, sampling="balanced")
    [batch] = loader.epoch(0)
    counts = np.bincount(batch.labels.numpy(), minlength=3)
    assert sorted(counts) == [9, 9, 10]
    # of a small class every sample comes before one comes again
    rare = np.bincount(batch.indices)[26:]
    assert abs(int(rare[0]) - int(rare[1])) <= 1
    assert np.bincount(batch.indices)[:20].max() == 1


def test_class_weights_even_out_the_classes(samples: Samples) -> None:
    part = samples.subset([0, 7, 14, 1])
    weights = class_weights(part)
    np.testing.assert_allclose(weights, [4 / 6, 2, 0, 0, 0, 0, 0], rtol=1e-6)
    assert np.isclose(weights[part.targets].mean(), 1)


def test_soft_targets_are_fed(samples: Samples) -> None:
    soft = np.tile(np.float32([0.5, 0.25, 0.25, 0, 0, 0, 0]), (28, 1))
    [batch] = Loader(Samples(**vars(samples) | {"soft": soft}), InputSpec(), batch_size=28).epoch(0)
    np.testing.assert_array_equal(batch.targets.numpy(), soft)


def test_pictures_in_files_and_in_an_array_give_the_same_batches(drawn: Drawn, tmp_path: Path) -> None:
    folders = read_data(drawn.write_folders(tmp_path, splits=False))
    at = np.array([int(Path(folders.place(index)).stem) for index in range(28)])
    arrays = Samples.from_arrays(drawn.images[at], drawn.targets[at], "fer7")
    spec = InputSpec(size=64, colour="rgb", mean=(0.5,) * 3, std=(0.5,) * 3)
    batches = [list(Loader(each, spec, batch_size=10, augment=EVERYTHING).epoch(0)) for each in (folders, arrays)]
    assert_same(*batches)


def test_a_pack_feeds_the_same_batches_as_what_it_was_made_of(samples: Samples, tmp_path: Path) -> None:
    soft = np.tile(np.float32([0.5, 0.25, 0.25, 0, 0, 0, 0]), (28, 1))
    source = Samples(**vars(samples) | {"soft": soft})
    prepare(source, tmp_path, layout="pack")
    batches = [
        list(Loader(each, InputSpec(), batch_size=10, augment=EVERYTHING, sampling="balanced").epoch(0))
        for each in (read_data(tmp_path), source)
    ]
    assert_same(*batches)
    np.testing.assert_array_equal(class_weights(read_data(tmp_path)), class_weights(source))


def test_a_picture_that_can_t_be_read_ends_the_epoch_with_its_name(drawn: Drawn, tmp_path: Path) -> None:
    root = drawn.write_folders(tmp_path, splits=False)
    samples = read_data(root)
    (root / "sad" / "004.png").write_bytes((root / "sad" / "004.png").read_bytes()[:300])
    with pytest.raises(DataError, match=r"004\.png"):
        list(Loader(samples, InputSpec(), batch_size=10, workers=2).epoch(0))


def test_a_loader_that_is_left_early_leaves_no_thread_behind(samples: Samples) -> None:
    import threading

    before = threading.active_count()
    steps = Loader(samples, InputSpec(), batch_size=2, workers=3).epoch(0)
    next(steps)
    assert threading.active_count() > before
    steps.close()  # type: ignore[attr-defined]  # a generator, which is called an iterator
    assert threading.active_count() == before
