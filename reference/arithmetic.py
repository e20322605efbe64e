"""Single precision as the specification has it: docs/spec/arithmetic.md.

NumPy's float32 `+ - * /` and square root round correctly, and so does what is here. Nothing else is used.
"""

from __future__ import annotations

import numpy as np

F = np.ndarray  # of float32
LANES = 16
FLT_MAX = np.float32(3.402823466e38)


def f32(x: float) -> np.float32:
    return np.float32(x)


def fma(a: F | np.float32, b: F | np.float32, c: F | np.float32) -> F:
    """a * b + c, rounded once.

    In double precision the product is exact. The sum is not, so it is rounded to odd: of the two doubles beside the exact sum, the one
    whose last bit is one. What is rounded to odd with at least two more bits can be rounded again without harm (Boldo and Melquiond 2008).
    """
    product = np.asarray(np.multiply(a, b, dtype=np.float64))
    addend = np.asarray(c, np.float64)
    total = product + addend
    # What the sum lost (Knuth's two-sum).
    part = total - product
    lost = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64)
    step = np.where((lost > 0) == (total > 0), 1, -1)
    inexact = (np.abs(lost) > 0) & ((bits & 1) == 0)
    with np.errstate(over="ignore"):
        return (bits + np.where(inexact, step, 0)).view(np.float64).astype(np.float32)


def maximum(a: F | np.float32, b: F | np.float32) -> F:
    """The second where either is no number."""
    return np.where(a > b, a, b)


def minimum(a: F | np.float32, b: F | np.float32) -> F:
    return np.where(a < b, a, b)


def round_to_int(x: F) -> np.ndarray:
    """Nearest, ties to even; |x| < 2^22."""
    return np.rint(x).astype(np.int32)


def tree_add(lanes: F) -> F:
    """The sum over the last axis, of 16 lanes: lane i takes lane i + 8, then i + 4, i + 2, i + 1."""
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    return lanes[..., 0]


def largest(x: F) -> F:
    """Of the last axis."""
    return x.max(axis=-1)


EXP_LOWEST = f32(-87)
LOG2_E = f32(1.44269504)
MINUS_LN2_HIGH, MINUS_LN2_LOW = f32(-0.693145751953125), f32(-1.42860682e-06)
EXP_POLYNOMIAL = [f32(c) for c in (0.00138146078, 0.00836871167, 0.0416683875, 0.166665207, 0.499999935)]
ONE = f32(1)


def exp(x: F) -> F:
    """Up to 87; below -87 it counts as -87."""
    x = maximum(x, EXP_LOWEST)
    n = round_to_int(x * LOG2_E)
    nf = n.astype(np.float32)
    r = fma(nf, MINUS_LN2_LOW, fma(nf, MINUS_LN2_HIGH, x))
    p = np.full_like(r, EXP_POLYNOMIAL[0])
    for coefficient in EXP_POLYNOMIAL[1:]:
        p = fma(p, r, coefficient)
    y = fma(p, r * r, r + ONE)
    return y * ((n + 127) << 23).astype(np.int32).view(np.float32)


def exp_or_zero(x: F) -> F:
    """The same of what is not above 0, but exactly 0 below -87."""
    with np.errstate(over="ignore"):
        return np.where(x < EXP_LOWEST, f32(0), exp(x))


BLOCK = 32
TINY = f32(1e-30)
MOST = f32(127)


class Quantized:
    """Rows of values in blocks of 32: value = scale * q."""

    def __init__(self, q: np.ndarray, scale: F) -> None:
        self.q = q  # int32 [..., blocks, 32]
        self.scale = scale  # [..., blocks]
        self.scaled_sum = scale * q.sum(axis=-1).astype(np.float32)

    def values(self) -> F:
        """[..., n]"""
        values = self.scale[..., None] * self.q.astype(np.float32)
        return values.reshape(*values.shape[:-2], -1)

    def __getitem__(self, index: object) -> Quantized:
        return Quantized(self.q[index], self.scale[index])


def quantize(x: F, block: int = BLOCK) -> Quantized:
    """In blocks along the last axis."""
    blocks = x.reshape(*x.shape[:-1], -1, block)
    amax = largest(np.abs(blocks))
    tiny = ~(amax > TINY)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(tiny, f32(0), MOST / amax)
    scale = np.where(tiny, f32(0), amax / MOST)
    q = round_to_int(minimum(maximum(blocks * inverse[..., None], -MOST), MOST))
    return Quantized(q, scale)


def rms_norm(x: F, weight: F, epsilon: np.float32) -> F:
    """Along the last axis."""
    squares = np.zeros((*x.shape[:-1], LANES), np.float32)
    for i in range(0, x.shape[-1], LANES):
        squares = fma(x[..., i : i + LANES], x[..., i : i + LANES], squares)
    mean = tree_add(squares) / f32(x.shape[-1])
    factor = ONE / np.sqrt(mean + epsilon)
    return (x * factor[..., None]) * weight


def sigmoid_divisor(x: F) -> F:
    return ONE + exp(minimum(f32(0) - x, f32(87)))


def silu(x: F) -> F:
    return x / sigmoid_divisor(x)


GELU_CUBE, GELU_ONE = f32(0.0713548163), f32(1.59576912)


def gelu(x: F) -> F:
    """Its approximation by tanh."""
    return x / sigmoid_divisor(x * fma(x * x, GELU_CUBE, GELU_ONE))


def cap(x: F, limit: np.float32) -> F:
    """limit * tanh(x / limit)"""
    e = exp(minimum(x * (f32(2) / limit), f32(87)))
    return limit * (ONE - f32(2) / (ONE + e))


def rotate(x: F, cos: F, sin: F) -> F:
    """Neighbours along the last axis."""
    swapped = x.reshape(*x.shape[:-1], -1, 2)[..., ::-1].reshape(x.shape)
    return fma(x, cos, swapped * sin)
