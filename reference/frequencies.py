"""From logits to integer frequencies: docs/spec/transformer.md, "Frequencies"."""

from __future__ import annotations

import numpy as np

from reference.arithmetic import F, exp_or_zero, f32

FREQUENCY_ONE = f32(1 << 30)


def frequencies(logits: F) -> np.ndarray:
    """1 + floor(exp(logit - max) * 2^30)"""
    p = exp_or_zero(logits - logits.max()) * FREQUENCY_ONE
    return p.astype(np.int64) + 1


def sums_of(logits: F) -> np.ndarray:
    """The sum of the frequencies before each row, and at last of all."""
    return np.concatenate([[0], np.cumsum(frequencies(logits))])
