"""Against real distributions: metadata and modules on a path of their own, as pip would lay them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facemotion import PluginError, UnknownNameError
from facemotion.registry import Registry

GROUP = "facemotion.test_plugins"


def install(folder: Path, distribution: str, points: dict[str, str], module: str | None = None, code: str = "") -> None:
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    if module:
        (folder / f"{module}.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_names_are_listed_without_importing_anything(site: Path) -> None:
    install(site, "acme-faces", {"zed": "acme_zed:make", "able": "acme_able:make"}, "acme_zed", "raise SystemError")
    registry = Registry(GROUP, "plug-in")
    assert registry.names() == ["able", "zed"]
    assert registry.distributions("zed") == ["acme-faces 1.0"]
    assert "acme_zed" not in sys.modules


def test_only_the_one_asked_for_is_loaded(site: Path) -> None:
    install(site, "good-one", {"good": "good_one:answer"}, "good_one", "answer = 42")
    install(site, "bad-one", {"bad": "bad_one:answer"}, "bad_one", "raise RuntimeError('half installed')")
    registry = Registry(GROUP, "plug-in")
    assert registry.load("good") == 42
    with pytest.raises(PluginError, match=r"'bad' of bad-one 1\.0 .* RuntimeError: half installed") as caught:
        registry.load("bad")
    assert caught.value.distributions == ("bad-one 1.0",)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_name_that_leads_nowhere_names_its_distribution(site: Path) -> None:
    install(site, "hollow", {"gone": "no_such_module:thing"})
    with pytest.raises(PluginError, match=r"'gone' of hollow 1\.0"):
        Registry(GROUP, "plug-in").load("gone")


def test_two_that_claim_one_name_are_refused_and_both_named(site: Path) -> None:
    install(site, "first", {"same": "first_one:x"}, "first_one", "x = 1")
    install(site, "second", {"same": "second_one:x", "own": "second_one:x"}, "second_one", "x = 2")
    registry = Registry(GROUP, "plug-in")
    assert registry.names() == ["own", "same"]
    assert registry.load("own") == 2
    assert registry.distributions("same") == ["first 1.0", "second 1.0"]
    with pytest.raises(PluginError, match=r"first 1\.0 and second 1\.0: uninstall all but one"):
        registry.load("same")


def test_one_distribution_seen_twice_on_the_path_is_no_clash(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "twice", {"it": "twice_one:x"}, "twice_one", "x = 7")
    other = tmp_path_factory.mktemp("other")
    install(other, "twice", {"it": "twice_one:x"})
    monkeypatch.syspath_prepend(other)
    assert Registry(GROUP, "plug-in").load("it") == 7


def test_an_unknown_name_lists_what_there_is(site: Path) -> None:
    install(site, "acme", {"retina": "acme:x"})
    with pytest.raises(UnknownNameError, match="did you mean 'retina'") as caught:
        Registry(GROUP, "plug-in").load("retnia")
    assert caught.value.choices == ("retina",)


def test_a_checkout_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parent.parent / "src"
    code = f"""
import sys
sys.path = [{str(source)!r}] + [path for path in sys.path if "site-packages" not in path]
from facemotion.registry import Registry
Registry("facemotion.detectors", "detector").load("haar")
"""
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "UnknownNameError" in done.stderr
    assert "pip install -e ." in done.stderr
