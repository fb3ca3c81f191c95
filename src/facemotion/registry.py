"""Plug-ins by name, over entry points: listed without importing anything, loaded one at a time."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from facemotion.errors import PluginError, UnknownNameError


class Registry:
    """The plug-ins of one entry-point group, ours and everybody's.

    kind: what one of them is called in messages, such as "detector".
    """

    def __init__(self, group: str, kind: str) -> None:
        self.group, self.kind = group, kind

    def _claims(self) -> dict[str, list[EntryPoint]]:
        """Every name with those who claim it; one distribution seen twice on the path is one claim."""
        claims: dict[str, dict[tuple[str, str], EntryPoint]] = {}
        for point in entry_points(group=self.group):
            claims.setdefault(point.name, {})[_distribution(point), point.value] = point
        return {name: [points[key] for key in sorted(points)] for name, points in sorted(claims.items())}

    def names(self) -> list[str]:
        """Every name that is installed, in alphabetical order. Imports none of them."""
        return list(self._claims())

    def distributions(self, name: str) -> list[str]:
        """The installed packages that claim a name, with versions; with more than one it can't be loaded."""
        return [_distribution(point) for point in self._find(name)]

    def load(self, name: str) -> Any:
        """What the plug-in of that name is; only this one is imported."""
        points = self._find(name)
        owners = [_distribution(point) for point in points]
        if len(points) > 1:
            message = f"{self.kind} {name!r} is claimed by {' and '.join(owners)}: uninstall all but one"
            raise PluginError(message, owners)
        try:
            return points[0].load()
        except Exception as error:  # a stranger's module may raise anything at import; the cause is kept
            message = f"{self.kind} {name!r} of {owners[0]} can't be loaded: {type(error).__name__}: {error}"
            raise PluginError(message, owners) from error

    def _find(self, name: str) -> list[EntryPoint]:
        claims = self._claims()
        if name not in claims:
            ours = any(_distribution(point).startswith("facemotion ") for points in claims.values() for point in points)
            hint = None if ours else "facemotion itself is not installed here: run `pip install -e .` in its checkout."
            raise UnknownNameError(self.kind, name, claims, hint)
        return claims[name]


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
