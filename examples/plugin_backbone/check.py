"""Does the backbone keep the contract? The same line belongs into a package's own tests."""

from facemotion import list_backbones
from facemotion.testing import check_backbone

if __name__ == "__main__":
    assert "separable" in list_backbones(), "not installed: pip install ."
    check_backbone("separable")
    check_backbone("separable", size=64, width=16)
    print("separable keeps the contract")
