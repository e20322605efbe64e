"""Bit histories, adaptive probabilities, biases and probability maps: docs/spec/mixing.md, "What is counted"."""

from reference.mixing.logistic import SQUASH, STRETCH, STRETCH_MAX, STRETCH_ONE, clamp_stretch, squash, toward_zero

MOST_FREQUENT = [40, 20, 11, 8, 7, 6]  # most of the more frequent bit, by those of the other one
MOST_RARE = 5


def _allowed(n0: int, n1: int) -> bool:
    rare = min(n0, n1)
    return rare <= MOST_RARE and max(n0, n1) <= MOST_FREQUENT[rare]


def _advance(n0: int, n1: int, bit: int) -> tuple[int, int]:
    same, other = (n1, n0) if bit else (n0, n1)
    same += 1
    if other > 2:
        other = 6 if other > 14 else 2 + other // 4 if other > 5 else other - 1
    while not _allowed(same, other):
        if same > other:
            same -= 1
        else:
            other -= 1
    return (other, same) if bit else (same, other)


def _states() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What follows each state after a zero and a one, and each state's counts. Numbered as they are met."""
    keys = [(0, 0, 0)]
    number: dict[tuple[int, int, int], int] = {}
    following = []
    for n0, n1, _ in keys:
        both = []
        for bit in (0, 1):
            key = (*_advance(n0, n1, bit), bit)
            if key not in number:
                number[key] = len(keys)
                keys.append(key)
            both.append(number[key])
        following.append((both[0], both[1]))
    assert len(keys) <= 256
    return following, [key[:2] for key in keys]


NEXT_STATE, STATE_COUNTS = _states()
SEEN = [n0 + n1 for n0, n1 in STATE_COUNTS]

# 65536 / (n + 1.5): the step of the n-th adaptation.
RECIPROCAL = [131072 // (2 * n + 3) for n in range(1024)]


def adaptive(probability: int, count: int) -> int:
    """An adaptive probability: 22 bits, and below them a count of 10."""
    return probability << 16 | count


def adapted(packed: int, bit: int, limit: int) -> int:
    """The same after `bit` came."""
    n = packed & 1023
    now = packed >> 10
    target = (1 << 22) - 1 if bit else 0
    now += (target - now) * RECIPROCAL[n] >> 16
    return now << 10 | (n + 1 if n < limit else n)


PRIOR_UPDATES = 20
_PRIORS = [adaptive((n1 * 4 + 1) * 65535 // ((n0 + n1) * 4 + 2), PRIOR_UPDATES) for n0, n1 in STATE_COUNTS]


def history_map() -> list[int]:
    """An adaptive probability for each bit history: what it has meant so far."""
    return list(_PRIORS)


MODEL_BIAS_STEP = 6 * STRETCH_ONE
CHAIN_BIAS_STEP = 4 * STRETCH_ONE
BIAS_SLOWEST = 20
BIAS_MAX = 8 * STRETCH_ONE


def corrected_bias(bias: int, base_stretch: int, uses: int, bit: int, step: int) -> int:
    error = (bit << 16) - SQUASH[clamp_stretch(base_stretch + bias) + STRETCH_MAX]
    bias += error * RECIPROCAL[min(uses, BIAS_SLOWEST)] * step >> 32
    return min(max(bias, -BIAS_MAX), BIAS_MAX)


NODES = 25  # one a nat, -12 .. 12


class ProbMap:
    """For each context a curve from stretches to what really came. Curves that nobody asked for are as they began."""

    def __init__(self, start: int, limit: int) -> None:
        self.limit = limit
        self.fresh = [adaptive(squash(clamp_stretch((i - NODES // 2) * STRETCH_ONE)), start) for i in range(NODES)]
        self.curves: dict[int, list[int]] = {}
        self.curve = self.fresh
        self.near = 0

    def refine(self, stretch: int, context: int) -> int:
        self.curve = self.curves.get(context) or self.curves.setdefault(context, list(self.fresh))
        low, weight = divmod(stretch + NODES // 2 * STRETCH_ONE, STRETCH_ONE)
        self.near = low + 1 if weight >= STRETCH_ONE // 2 else low
        below, above = STRETCH[self.curve[low] >> 16], STRETCH[self.curve[low + 1] >> 16]
        return squash(below + toward_zero((above - below) * weight, STRETCH_ONE))

    def update(self, bit: int) -> None:
        self.curve[self.near] = adapted(self.curve[self.near], bit, self.limit)

