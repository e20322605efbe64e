"""How contexts become numbers: docs/spec/mixing.md, "Hashes"."""

from reference.mixing.logistic import MASK64


def mix_hash(a: int, b: int) -> int:
    h = (a + 0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93 & MASK64
    h ^= h >> 32
    h = (h + b) * 0xA0761D6478BD642F & MASK64
    return h ^ h >> 29
