"""What the networks have in common that are trained from nothing."""

from __future__ import annotations

from facemotion.errors import WeightsError


def refuse_pretrained(name: str, pretrained: bool) -> None:
    """There are no ImageNet weights of our own small networks, and no others are passed off as them."""
    if pretrained:
        raise WeightsError(f'backbone {name!r} has no ImageNet weights; init = "none" trains it from nothing')
