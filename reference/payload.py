"""From a frame's payload to its bytes: docs/spec/payload.md."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Protocol

import zstandard

from reference.coder import CheckedDecoder, Decoder
from reference.errors import Damaged
from reference.mixing.frame import ALL, FAST, LLM, STRONG, FrameMixer
from reference.model import Lane, Model
from reference.tables import ENGLISH
from reference.varint import Reader
from reference.walk import CERTAINLY, CERTAINLY_NOT, Walk

STORED, ZSTD, CM_FAST, CM, MODEL_ALONE, CM_ENGLISH, MIXED = 0, 1, 2, 3, 4, 6, 7
NEED_MODEL = (MODEL_ALONE, MIXED)
PLAIN_SOURCES = {CM_FAST: FAST, CM: STRONG, CM_ENGLISH: STRONG}

# P(no more significant bits) after 0, 1, ... bits of a size.
USUAL_SIZES = [1024, 1024, 1500, 2000, 4000, 9000, 18000, 22000, 22000, 26000, 26000, 26000, 30000, 30000, 30000, 30000]
MAX_COMPACT = 65535


def zstd_size(payload: bytes) -> int:
    """That the frame tells; -1 where it tells none."""
    try:
        return int(zstandard.frame_content_size(payload))
    except zstandard.ZstdError as error:
        raise Damaged(f"a zstd frame is not valid: {error}") from error


def decode_zstd(payload: bytes, size: int) -> bytes:
    if zstd_size(payload) != size:
        raise Damaged("a zstd frame's size is not valid")
    decoder = zstandard.ZstdDecompressor().decompressobj()
    try:
        data = decoder.decompress(payload)
    except zstandard.ZstdError as error:
        raise Damaged(f"a zstd frame is not valid: {error}") from error
    if not decoder.eof or decoder.unused_data or len(data) != size:
        raise Damaged("a zstd frame is not valid")
    return data


def code_bits(coder: Decoder, odds: list[int]) -> int:
    """A number of significant bits, in unary."""
    bits = 0
    while bits < len(odds) and not coder.decide(odds[bits]):
        bits += 1
    return bits


def take_size(coder: Decoder, odds: list[int] = USUAL_SIZES) -> int:
    width = code_bits(coder, odds)
    value = 1 if width > 0 else 0
    for _ in range(width - 1):
        value = value << 1 | coder.decide(32768)
    return value


# ---- Context models alone.

_readers: dict[int, FrameMixer] = {}


def plain_mixer(method: int, size: int) -> tuple[FrameMixer, int]:
    """A mixer for a frame of `size` bytes, and how many bytes it has read before them."""
    if method != CM_ENGLISH:
        return FrameMixer(PLAIN_SOURCES[method], [size]), 0
    whole = len(ENGLISH) + size
    kept = whole.bit_length()  # tables have the same sizes, so what was read can be copied
    if kept not in _readers:
        reader = FrameMixer(STRONG, [whole])
        for byte in ENGLISH:
            for shift in range(7, -1, -1):
                reader.predict_bit_alone(0)
                reader.update_bit(0, byte >> shift & 1)
        _readers[kept] = reader
    mixer = copy.deepcopy(_readers[kept])
    mixer.data = mixer.data[: len(ENGLISH)] + bytes(size)
    mixer.places[0].end = whole
    return mixer, len(ENGLISH)


def decode_byte(coder: Decisions, mixer: FrameMixer, lane: int) -> int:
    byte = 0
    for _ in range(8):
        bit = coder.decide(mixer.predict_bit_alone(lane))
        mixer.update_bit(lane, bit)
        byte = byte << 1 | bit
    return byte


def decode_plain(method: int, payload: bytes, size: int | None) -> bytes:
    """`size`: of the data; None where the code tells it first, as in a compact text."""
    coder = Decoder(payload)
    if size is None:
        size = take_size(coder)
    mixer, before = plain_mixer(method, size)
    for _ in range(size):
        decode_byte(coder, mixer, 0)
    coder.check_end()
    return mixer.frame()[before:]


# ---- With the model.


class Decisions(Protocol):
    """Where decisions come from: a decoder or, for text that is only read, the text."""

    def decide(self, p: int) -> int: ...


class UnitDecoder:
    """Units, tokens or bytes that no token spells, from decisions."""

    ESCAPE_FLOOR = 32
    ESCAPE_START = 1024
    ESCAPE_SHARE = 32

    def __init__(self, coder: Decisions, mixer: FrameMixer, escapes: bool) -> None:
        self.coder, self.mixer, self.escapes = coder, mixer, escapes
        self.p_escape = self.ESCAPE_START

    def decode_escape(self) -> bool:
        if not self.escapes:
            return False
        escaped = self.coder.decide(self.p_escape)
        change = (65536 - self.ESCAPE_FLOOR if escaped else self.ESCAPE_FLOOR) - self.p_escape
        self.p_escape += change // self.ESCAPE_SHARE if change >= 0 else -(-change // self.ESCAPE_SHARE)
        return bool(escaped)

    def decode_token(self, lane: int, walk: Walk, room: int) -> int:
        """The row of a token of at most `room` bytes."""
        self.mixer.begin_token(lane)
        for depth in range(room):
            if depth > 0 and self.decode_end(lane, walk):
                return walk.lo
            for _ in range(8):
                self.decode_bit(lane, walk)
        if not walk.can_end():
            raise Damaged("a token passes the end of its lane")
        return walk.lo

    def decode_end(self, lane: int, walk: Walk) -> bool:
        p = walk.end()
        ended = p == CERTAINLY
        if p not in (CERTAINLY_NOT, CERTAINLY):
            ended = bool(self.coder.decide(self.mixer.predict_end(lane, p)))
            self.mixer.update_end(int(ended))
        walk.set_end(ended)
        return ended

    def decode_bit(self, lane: int, walk: Walk) -> None:
        p = walk.bit()
        if p in (CERTAINLY_NOT, CERTAINLY):
            bit = int(p == CERTAINLY)
            self.mixer.skip_bit(lane, bit)
        else:
            bit = self.coder.decide(self.mixer.predict_bit(lane, p))
            self.mixer.update_bit(lane, bit)
        walk.set_bit(bit)


class TextLane:
    """A lane of a frame: where it is in the model, and how many bytes it has left. The model is asked no sooner than it must be."""

    def __init__(self, model: Model, lane: Lane, room: int) -> None:
        self.model, self.lane, self.room = model, lane, room
        self.token = lane.first_token

    def decode_unit(self, units: UnitDecoder, number: int) -> bytes:
        if units.decode_escape():
            spelled = bytes([decode_byte(units.coder, units.mixer, number)])
        else:
            vocabulary = self.model.vocabulary
            walk = Walk(vocabulary, self.lane.sums_after(self.token))
            row = units.decode_token(number, walk, self.room)
            self.token = vocabulary.tokens[row]
            spelled = vocabulary.bytes(row)
        self.room -= len(spelled)
        return spelled


def make_mixer(model: Model, method: int, sizes: list[int]) -> FrameMixer:
    """Where a dictionary's context models have read, a mixed frame goes on from them."""
    learned = model.opening.mixer() if method == MIXED and model.opening else None
    return FrameMixer(ALL if method == MIXED else LLM, sizes, learned)


def decode_lanes(coder: CheckedDecoder, model: Model, method: int, sizes: list[int], escapes: bool) -> bytes:
    """One unit of each lane that has bytes left, round by round."""
    mixer = make_mixer(model, method, sizes)
    units = UnitDecoder(coder, mixer, escapes)
    lanes = [TextLane(model, model.open_lane(), size) for size in sizes]
    while any(lane.room for lane in lanes):
        model.run_ahead([(lane.lane, lane.token) for lane in lanes if lane.room])
        for number, lane in enumerate(lanes):
            if lane.room:
                lane.decode_unit(units, number)
    coder.check_end()
    return mixer.frame()


LANES_MASK, ESCAPES_FLAG, UNKNOWN_FLAGS = 0x1F, 0x20, 0xC0


def decode_modelled(method: int, payload: bytes, size: int, model: Model) -> bytes:
    """A frame of methods 4 and 7."""
    reader = Reader(payload)
    first = reader.byte()
    if first & UNKNOWN_FLAGS:
        raise Damaged("a frame's lanes are not valid")
    sizes: list[int] = []
    for _ in range(first & LANES_MASK):
        sizes.append(reader.varint())
    sizes.append(size - sum(sizes))
    if min(sizes) < (1 if size > 0 else 0):
        raise Damaged("a lane's size is not valid")
    coder = CheckedDecoder(payload[reader.position :])
    return decode_lanes(coder, model, method, sizes, bool(first & ESCAPES_FLAG))


def decode_frame(method: int, payload: bytes, size: int, model: Callable[[], Model]) -> bytes:
    """The bytes of a frame in the file form. `model` is asked for where one is needed."""
    if method == STORED:
        if len(payload) != size:
            raise Damaged("a stored frame has another size")
        return payload
    if method == ZSTD:
        return decode_zstd(payload, size)
    if method in PLAIN_SOURCES:
        return decode_plain(method, payload, size)
    return decode_modelled(method, payload, size, model())

