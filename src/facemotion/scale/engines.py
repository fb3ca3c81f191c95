"""Who hands the parts out: a plain loop in this process, or Ray Data over the actors of a cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facemotion.errors import FacemotionError, MissingExtraError
from facemotion.scale.job import Job
from facemotion.scale.worker import Done, Worker

logger = logging.getLogger(__name__)


def run_here(job: Job, parts: Sequence[int]) -> Iterator[Done]:
    """One after the other in this process."""
    worker = Worker(job)
    return map(worker.do, parts)


def run_on_ray(job: Job, parts: Sequence[int], workers: int | None, gpus: float) -> Iterator[Done]:
    """By the actors of a Ray cluster, in whatever order they end.

    An actor that dies is started again and its part with it, by Ray. A cluster that is connected to already is used;
    else the one that RAY_ADDRESS names, else one is started on this machine and ended afterwards.
    """
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(logging_level=logging.WARNING)
    try:
        threads, resources = job.threads or 1, ray.cluster_resources()
        if ours and _started_here(ray):
            _check_fit(threads, gpus, resources)
        count = workers or max(int(resources.get("CPU", 1) // threads), 1)
        # one block a part, so that no part waits for another and each is begun again by itself
        dataset = ray.data.from_items(list(parts), override_num_blocks=len(parts))
        dataset.context.enable_progress_bars = False
        written = dataset.map_batches(
            _Actor,
            fn_constructor_args=(job,),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(count, len(parts))),
            num_cpus=threads,
            num_gpus=gpus or None,
        )
        for batch in written.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
            for number, starts in zip(batch["number"].tolist(), batch["starts"].tolist(), strict=True):
                yield Done(number, starts)
    except (ray.exceptions.RayError, OSError) as error:
        raise _reason(error) from error
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """A worker in a process of its own, as Ray Data calls it."""

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = [self._worker.do(int(number)) for number in batch["item"]]
        return {"number": np.array([each.number for each in done]), "starts": np.array([each.starts for each in done])}


def _started_here(ray: Any) -> bool:
    """Whether Ray runs on this machine alone, for us: a cluster that it found may still grow to what is asked for."""
    node = ray._private.worker._global_node
    return node is not None and bool(node.is_head())


def _check_fit(threads: int, gpus: float, resources: dict[str, float]) -> None:
    """A worker that fits nowhere is an error: Ray would wait for ever for a place for it."""
    processors, cards = resources.get("CPU", 0), resources.get("GPU", 0)
    if threads > processors or gpus > cards:
        raise FacemotionError(
            f"no worker of threads={threads}, gpus={gpus:g} fits on this machine: "
            f"Ray finds {processors:g} processors and {cards:g} GPUs on it"
        )


def _reason(error: BaseException) -> FacemotionError:
    """Our own error where a worker raised one, else what Ray says."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FacemotionError):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    return FacemotionError(
        f"the run on Ray ended: {error}; what is written stays, and the same call goes on from there"
    )


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError(
            f"engine='ray' needs a package that is not installed ({error}): pip install 'facemotion[ray]'; "
            "or take engine='local'"
        ) from error
    return ray
