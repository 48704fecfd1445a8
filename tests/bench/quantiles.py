"""Quantiles of what was measured."""

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of all."""
    ordered = sorted(values)
    rank = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[min(rank, len(ordered) - 1)]
