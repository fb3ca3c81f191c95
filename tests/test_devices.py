from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facemotion import DeviceError, devices
from facemotion.devices import (
    _container_quota,
    available_devices,
    cpu_threads,
    is_processor,
    limited_cpu_threads,
    resolve_device,
)


def test_auto_is_the_first_device_that_is_there() -> None:
    devices = available_devices()
    assert devices[-1] == "cpu"
    assert str(resolve_device()) == devices[0]
    assert str(resolve_device("cpu")) == str(resolve_device(torch.device("cpu"))) == "cpu"  # type: ignore[arg-type]  # torch's own, too


def test_a_processor_is_one_also_as_torch_calls_it() -> None:
    assert is_processor(torch.device("cpu"))  # type: ignore[arg-type]  # torch's own, too
    assert not is_processor(torch.device("cuda"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "CPU"])
def test_a_device_that_is_not_there_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(DeviceError, match=r"there is: auto, .*cpu"):
        resolve_device(name)


def test_torch_is_imported_only_when_a_device_is_asked_for() -> None:
    code = "import sys, facemotion.devices as d; d.cpu_threads(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_is_not_asked_where_there_is_no_sign_of_an_accelerator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert [is_processor(name) for name in ("cpu", "cuda", "mps", "nonsense")] == [True, False, False, False]
    asked: list[str] = []

    def answer() -> list[str]:
        asked.append("torch")
        return ["cuda:0", "cpu"]

    monkeypatch.setattr(devices, "available_devices", answer)
    driver = tmp_path / "driver"
    monkeypatch.setattr(devices, "_DRIVERS", {sys.platform: (str(driver),)})
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    assert is_processor() and not asked
    driver.touch()
    if sys.platform != "darwin":
        assert not is_processor() and asked
    monkeypatch.setattr(devices, "_DRIVERS", {})
    if sys.platform != "darwin":
        assert not is_processor() and len(asked) == 2


def test_threads_keep_to_what_the_process_may_use() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from facemotion.devices import cpu_threads; print(cpu_threads())"
    )
    if sys.platform == "linux":
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert int(done.stdout) == 1
    assert cpu_threads() >= 1


@pytest.mark.parametrize(("text", "quota"), [("150000 100000", 1.5), ("max 100000", None), ("nonsense", None)])
def test_a_container_s_quota_is_read(tmp_path: Path, text: str, quota: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert _container_quota(tmp_path) == quota
    assert _container_quota(tmp_path / "absent") is None


def test_a_limit_of_threads_holds_meanwhile_and_no_longer() -> None:
    usual = cpu_threads(), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyError), limited_cpu_threads(1):
            assert cpu_threads() == torch.get_num_threads() == 1
            raise KeyError
        assert (cpu_threads(), torch.get_num_threads()) == (usual[0], 3)
        with limited_cpu_threads(None):
            assert (cpu_threads(), torch.get_num_threads()) == (usual[0], 3)
    finally:
        torch.set_num_threads(usual[1])
