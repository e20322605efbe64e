"""Dictionaries and adapters: docs/spec/dictionaries.md."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xxhash

from reference.coder import Decoder
from reference.errors import Damaged, WrongModel
from reference.payload import decode_zstd
from reference.varint import Reader, u64
from reference.weights import MATRICES, Layer, Matrix, Weights, requantize

MAGIC, VERSION = b"\xf3md", 1
MAX_OPENING, MAX_SAMPLE, MAX_ADAPTER = 16 << 10, 1 << 20, 256 << 20
PLAIN_OPENING = 4000  # of an opening that is the end of a plain file
NOT_PLAIN = (b"\xf3ml", b"\x37\xa4\x30\xec")  # archives, and dictionaries of zstd
ADAPTER_MAGIC, ADAPTER_VERSION = b"SMLA", 1
MOST_BITS = 20
ADAPT_SHIFT = 7
SCALE_SHIFT = 13  # bits of an S8 scale that stay as they are
MOST_SHIFT = 254
FINITE_HALF, FINITE_FLOAT = 0x7C00, 0x7F800000


@dataclass(frozen=True)
class Dictionary:
    weights: int  # fingerprints of the model; both 0: any
    vocabulary: int
    opening: bytes
    sample: bytes
    adapter: bytes

    def identity(self) -> int:
        parts = b"".join(u64(len(part)) + part for part in (self.opening, self.sample, self.adapter))
        return xxhash.xxh3_64_intdigest(u64(self.weights, self.vocabulary) + parts)

    def fits(self, weights: int, vocabulary: int) -> bool:
        return (self.weights, self.vocabulary) in ((0, 0), (weights, vocabulary))

    def adapted(self, weights: Weights) -> Weights:
        return adapt(weights, self.adapter) if self.adapter else weights


def read_part(reader: Reader, most: int) -> bytes:
    size = reader.varint()
    if size > most:
        raise Damaged("a dictionary's part is larger than is allowed")
    if size == 0:
        return b""
    stored = reader.varint()
    if stored > size:
        raise Damaged("a dictionary's part is stored in more bytes than it has")
    part = reader.take(stored)
    return part if stored == size else decode_zstd(part, size)


def parse(data: bytes) -> Dictionary:
    """A dictionary's file, or any other."""
    if not data.startswith(MAGIC):
        return plain(data)
    if len(data) < 12 or data[3] != VERSION or Reader(data[-8:]).u64() != xxhash.xxh3_64_intdigest(data[:-8]):
        raise Damaged("the dictionary is damaged, or needs another reader")
    reader = Reader(data[4:-8])
    weights, vocabulary = reader.u64(), reader.u64()
    reader.string(255)
    parts = [read_part(reader, most) for most in (MAX_OPENING, MAX_SAMPLE, MAX_ADAPTER)]
    if not reader.at_end():
        raise Damaged("the dictionary is longer than it says")
    if not any(parts):
        raise Damaged("there is nothing in the dictionary")
    return Dictionary(weights, vocabulary, *parts)


def plain(text: bytes) -> Dictionary:
    if not text or text.startswith(NOT_PLAIN):
        raise Damaged("this is no dictionary")
    start = opening_start(text)
    return Dictionary(0, 0, text[start:], text[max(0, start - MAX_SAMPLE) : start], b"")


def opening_start(text: bytes) -> int:
    if len(text) <= PLAIN_OPENING:
        return 0
    earliest = len(text) - PLAIN_OPENING
    line = text.find(b"\n", earliest - 1, len(text) - PLAIN_OPENING // 2)
    if line >= 0:
        return line + 1
    return next((at for at in range(earliest, earliest + 4) if text[at] & 0xC0 != 0x80), earliest)


# ---- Adapters.


class AdaptiveBit:
    def __init__(self) -> None:
        self.p = 32768

    def decide(self, coder: Decoder) -> int:
        bit = coder.decide(self.p)
        self.p = self.p + (65536 - self.p >> ADAPT_SHIFT) if bit else self.p - (self.p >> ADAPT_SHIFT)
        return bit


class Differences:
    """Of one kind of number."""

    def __init__(self) -> None:
        self.nonzero = [AdaptiveBit() for _ in range(3)]  # by the one before: zero, one, more
        self.sign = AdaptiveBit()
        self.size = [AdaptiveBit() for _ in range(MOST_BITS + 1)]
        self.bits = [[AdaptiveBit() for _ in range(MOST_BITS)] for _ in range(MOST_BITS + 1)]
        self.context = 0

    def decode(self, coder: Decoder) -> int:
        context, self.context = self.context, 0
        if not self.nonzero[context].decide(coder):
            return 0
        negative = self.sign.decide(coder)
        bits = 1
        while bits < MOST_BITS and self.size[bits].decide(coder):
            bits += 1
        value = 1
        for i in range(bits - 2, -1, -1):
            value = value << 1 | self.bits[bits][i].decide(coder)
        self.context = 1 if bits == 1 else 2
        return -value if negative else value


def ordered(bits: int, width: int) -> int:
    """A float's bits as an integer of the same order."""
    sign = 1 << (width - 1)
    return -(bits & ~sign) if bits & sign else bits


def unordered(order: int, width: int) -> int:
    return order if order >= 0 else 1 << (width - 1) | -order


def moved(value: np.generic, steps: int, finite: int) -> np.ndarray:
    """A half or a float so many steps away in the order of its kind."""
    width = value.dtype.itemsize * 8
    unsigned = np.dtype(f"u{value.dtype.itemsize}")
    order = ordered(int(value.view(unsigned)), width) + steps
    if abs(order) >= finite:
        raise Damaged("the adapter's differences do not fit the model")
    return np.array(unordered(order, width), unsigned).view(value.dtype)


def add_differences(matrix: Matrix, code: bytes) -> Matrix:
    coder = Decoder(code)
    of_scales, of_minimums, of_values = Differences(), Differences(), Differences()
    q = matrix.q.astype(np.int16)
    scale = matrix.scale.copy()
    minimum = None if matrix.minimum is None else matrix.minimum.copy()
    for output in range(len(q)):
        for block in range(q.shape[1]):
            at = output, block
            if minimum is not None:
                scale[at] = moved(scale[at].astype(np.float16), of_scales.decode(coder), FINITE_HALF)
                minimum[at] = moved(minimum[at].astype(np.float16), of_minimums.decode(coder), FINITE_HALF)
            else:
                scale[at] = moved(scale[at], of_scales.decode(coder) << SCALE_SHIFT, FINITE_FLOAT)
                shift = of_minimums.decode(coder)
                if abs(shift) > MOST_SHIFT:
                    raise Damaged("the adapter's differences do not fit the model")
                q[at] = np.clip(q[at] + shift, -127, 127)
            q[at] += np.array([of_values.decode(coder) for _ in range(32)])
    coder.check_end()
    least, most = (-127, 127) if minimum is None else (0, 15)
    if q.min() < least or q.max() > most:
        raise Damaged("the adapter's differences do not fit the model")
    return Matrix(q.astype(matrix.q.dtype), scale, minimum)


def adapt(weights: Weights, adapter: bytes) -> Weights:
    reader = Reader(adapter[:-8])
    if reader.take(4) != ADAPTER_MAGIC or reader.byte() != ADAPTER_VERSION or xxhash.xxh3_64_intdigest(adapter[:-8]) != Reader(adapter[-8:]).u64():
        raise Damaged("the adapter is damaged")
    if reader.u64() != weights.fingerprint:
        raise WrongModel("the adapter was made for another model")
    layers = [replace(layer, matrices=dict(layer.matrices)) for layer in weights.layers]
    before = (-1, -1)
    for _ in range(reader.varint()):
        number, name, to_s8 = reader.varint(), reader.byte(), reader.byte()
        outputs, inputs, size = reader.varint(), reader.varint(), reader.varint()
        code = reader.take(size)
        if not before < (number, name) or name >= len(MATRICES) or to_s8 > 1 or number >= len(layers) or size == 0:
            raise Damaged("the adapter is damaged")
        before = number, name
        layers[number].matrices[MATRICES[name]] = adapt_matrix(layers[number], MATRICES[name], bool(to_s8), (outputs, inputs // 32), code)
    if not reader.at_end():
        raise Damaged("the adapter is longer than it says")
    return replace(weights, layers=layers)


def adapt_matrix(layer: Layer, name: str, to_s8: bool, shape: tuple[int, int], code: bytes) -> Matrix:
    matrix = layer.matrices[name]
    if matrix.q.shape[:2] != shape or (matrix.minimum is None and not to_s8):
        raise Damaged("the adapter does not fit the model")
    if to_s8 and matrix.minimum is not None:
        matrix = requantize(matrix.values().reshape(*matrix.q.shape))
    return add_differences(matrix, code)

