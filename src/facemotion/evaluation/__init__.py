"""Judging weights: figures that can be compared, checked for leaks, and told with how sure they are."""

# bound here and now, since the function has the name of its module
from facemotion.evaluation.compare import compare

__all__ = ["compare"]
