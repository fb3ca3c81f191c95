from __future__ import annotations

import numpy as np
import pytest

from facemotion.data.pictures import PictureSpool


@pytest.mark.parametrize("in_memory", [0, 500, 10_000])
def test_a_spool_gives_back_what_it_took_from_memory_and_from_disk(in_memory: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (9, 10, 10), np.uint8)
    spool = PictureSpool(in_memory)
    for picture in pictures:
        spool.append(picture.tobytes())
    array = spool.array(10, 10)
    assert isinstance(array, np.memmap) == (in_memory < 900)
    np.testing.assert_array_equal(array, pictures)
