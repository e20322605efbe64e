"""The binary range coder: docs/spec/payload.md, "The code"."""

from reference.errors import Damaged

TOP_BITS = 56
PROBABILITY_BITS = 16
TOP = 1 << TOP_BITS
BOTTOM = 1 << (TOP_BITS - 8)
LOOKAHEAD = TOP_BITS // 8  # bytes that a decoder may read behind the end


class Decoder:
    """Decisions from bytes. Behind the end it reads zeros."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.position = LOOKAHEAD
        self.value = int.from_bytes(code[:LOOKAHEAD].ljust(LOOKAHEAD, b"\0"), "big")
        self.size = TOP

    def decide(self, p: int) -> int:
        """The next decision, whose P(one) is p / 65536."""
        ones = (self.size >> PROBABILITY_BITS) * p
        if self.value < ones:
            bit, self.size = 1, ones
        else:
            bit, self.value, self.size = 0, self.value - ones, self.size - ones
        while self.size < BOTTOM:
            byte = self.code[self.position] if self.position < len(self.code) else 0
            self.position += 1
            self.value, self.size = self.value << 8 | byte, self.size << 8
        if self.position > len(self.code) + LOOKAHEAD:
            raise Damaged("the code ends too early")
        return bit

    def check_end(self) -> None:
        """Behind the last decision: no byte may be left that no decision has touched."""
        if self.position < len(self.code):
            raise Damaged("bytes are left behind the code")


class Encoder:
    """Bytes from decisions: `low` is a number of any length, of which the archive's code is the beginning."""

    def __init__(self) -> None:
        self.low = 0
        self.size = TOP
        self.shifts = 0

    def decide(self, p: int, bit: int) -> int:
        ones = (self.size >> PROBABILITY_BITS) * p
        if bit:
            self.size = ones
        else:
            self.low += ones
            self.size -= ones
        while self.size < BOTTOM:
            self.low, self.size = self.low << 8, self.size << 8
            self.shifts += 1
        return bit

    def finish(self) -> bytes:
        """The number with the most trailing zero bits in [low, low + size), without trailing zero bytes; `whole` bytes stand before them."""
        last = self.low + self.size - 1
        zeros = 0
        while zeros < TOP_BITS and (last >> (zeros + 1)) << (zeros + 1) >= self.low:
            zeros += 1
        best = (last >> zeros) << zeros
        whole = best.to_bytes(self.shifts + LOOKAHEAD, "big")
        head, tail = whole[: self.shifts], whole[self.shifts :]
        return head + tail.rstrip(b"\0")


class CheckedDecoder(Decoder):
    """Decodes, and knows whether an encoder would have written these very bytes."""

    CHUNK = 4096  # decisions are encoded again a chunk at a time, to keep the numbers short

    def __init__(self, code: bytes) -> None:
        super().__init__(code)
        self.decisions: list[tuple[int, int]] = []

    def decide(self, p: int) -> int:
        bit = super().decide(p)
        self.decisions.append((p, bit))
        return bit

    def check_end(self) -> None:
        if encode(self.decisions) != self.code:
            raise Damaged("bytes do not fit what they mean")


def encode(decisions: list[tuple[int, int]]) -> bytes:
    encoder = Encoder()
    for p, bit in decisions:
        encoder.decide(p, bit)
    return encoder.finish()
