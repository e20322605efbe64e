"""Stretch and squash: docs/spec/mixing.md, "Probabilities and stretches"."""

MASK64 = (1 << 64) - 1
STRETCH_ONE = 1024  # of one nat
STRETCH_MAX = 12 * STRETCH_ONE - 1
PROB_ONE = 65536
PROB_HALF = 32768
EXP_MINUS_STEP = 0xFFC007FF555FFF77  # e^(-1/1024) * 2^64


def _tables() -> tuple[list[int], list[int]]:
    upper = []  # squash of 0 .. STRETCH_MAX
    stretches = [0] * PROB_ONE
    exp_minus = MASK64  # e^(-value / 1024) * 2^64
    filled = PROB_HALF
    for value in range(STRETCH_MAX + 1):
        denominator = (1 << 47) + (exp_minus >> 17)
        upper.append(min(((1 << 63) + denominator // 2) // denominator, PROB_ONE - 1))
        while filled < PROB_ONE and exp_minus >> 18 <= ((PROB_ONE - filled) << 46) // filled:
            stretches[filled] = value
            stretches[PROB_ONE - filled] = -value
            filled += 1
        exp_minus = exp_minus * EXP_MINUS_STEP >> 64
    stretches[PROB_HALF] = 0
    stretches[0] = stretches[1]
    return stretches, upper


STRETCH, _UPPER = _tables()
# By stretch + STRETCH_MAX.
SQUASH = [PROB_ONE - _UPPER[-s] for s in range(-STRETCH_MAX, 0)] + _UPPER


def clamp_stretch(value: int) -> int:
    return STRETCH_MAX if value > STRETCH_MAX else -STRETCH_MAX if value < -STRETCH_MAX else value


def squash(value: int) -> int:
    return SQUASH[value + STRETCH_MAX]


def clamp_probability(p: int) -> int:
    return min(max(p, 1), PROB_ONE - 1)


def toward_zero(numerator: int, denominator: int) -> int:
    """Division as processors do it."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)
