from __future__ import annotations

import pytest
import torch
from training_patterns import patterns

from facemotion import Recipe
from facemotion.training.batches import training_batches
from facemotion.training.distributed import Processes


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_process_gets_a_single_face_of_a_last_batch(recipe: Recipe, count: int) -> None:
    """It has no spread to normalise by; what is enough for all is not left out."""
    for rest in range(2 * count + 1):
        samples, device = patterns(32 + rest, seed=1), torch.device("cpu")
        parts = [training_batches(samples, recipe, Processes(rank, count), device) for rank in range(count)]
        faces = [[len(batch.labels) for batch in part.epoch(0)] for part in parts]
        assert {len(each) for each in faces} == {2 if rest == 2 * count else 1}
        assert min(map(min, faces)) >= 2
