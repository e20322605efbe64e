"""Rotary positions, with angles as 64-bit fractions of a turn: docs/spec/transformer.md, "Rotation". Doubles, `+ - * /` only."""

from __future__ import annotations

import struct

import numpy as np

from reference.arithmetic import F
from reference.weights import Rotation

TWO_PI = 6.283185307179586476925
LN2 = 0.6931471805599453094172
SQUARE_ROOT_OF_2 = 1.4142135623730951
TURN = 1 << 64
EXP2_TERMS, LOG2_TERMS, COS_TERMS = 18, 27, 14


def exp2(x: float) -> float:
    whole = int(x - 0.5 if x < 0 else x + 0.5)
    r = (x - whole) * LN2
    total = 1.0
    for n in range(EXP2_TERMS, 0, -1):
        total = 1.0 + r / n * total
    return total * 2.0**whole


def log2(x: float) -> float:
    bits = struct.unpack("<Q", struct.pack("<d", x))[0]
    exponent = (bits >> 52) - 1023
    m = struct.unpack("<d", struct.pack("<Q", bits & ((1 << 52) - 1) | 1023 << 52))[0]
    if m > SQUARE_ROOT_OF_2:
        m *= 0.5
        exponent += 1
    t = (m - 1.0) / (m + 1.0)
    total = 0.0
    for n in range(LOG2_TERMS, 0, -2):
        total = total * (t * t) + 1.0 / n
    return exponent + 2.0 * t * total / LN2


def cos_sin(turn: int) -> tuple[float, float]:
    """Of a fraction of a turn, of 64 bits."""
    quarter = (turn + (1 << 61)) >> 62 & 3
    rest = (turn - (quarter << 62)) % TURN
    if rest >= TURN // 2:
        rest -= TURN
    x = float(rest) * (1.0 / TURN) * TWO_PI
    x2 = x * x
    s = c = 1.0
    for n in range(COS_TERMS, 0, -2):
        s = 1.0 - x2 / (n * (n + 1)) * s
        c = 1.0 - x2 / (n * (n - 1)) * c
    s *= x
    return [(c, s), (-s, c), (-c, -s), (s, -c)][quarter]


class RotaryTable:
    def __init__(self, rotation: Rotation | None) -> None:
        """None: nothing rotates."""
        self.turns = []  # that a position turns each pair by
        if rotation is None:
            return
        log_base = log2(rotation.base)
        for pair in range(rotation.dims // 2):
            theta = exp2(-2.0 * pair / rotation.dims * log_base) * rotation.scale
            if rotation.factors:
                theta = theta / rotation.factors[pair]
            turn = theta / TWO_PI
            turn -= float(int(turn))
            self.turns.append(int(turn * TURN))

    def at(self, position: int, head_dim: int) -> tuple[F, F]:
        """cos and sin for rotate(), [head_dim]."""
        cos, sin = np.ones(head_dim, np.float32), np.zeros(head_dim, np.float32)
        for pair, turns in enumerate(self.turns):
            c, s = cos_sin(position * turns % TURN)
            cos[2 * pair : 2 * pair + 2] = c
            sin[2 * pair : 2 * pair + 2] = (-s, s)
        return cos, sin
