"""The compact and the short form of small texts: docs/spec/format.md."""

from __future__ import annotations

import xxhash

from reference import payload
from reference.coder import CheckedDecoder
from reference.errors import Damaged
from reference.model import Model
from reference.opening import Opening
from reference.tables import OPENINGS
from reference.varint import u64

COMPACT_MARK, COMPACT_LATER_SET = 0x80, 0xF0
LATER_SET = 256
MIXED_ALONE, MIXED_WITH_DICTIONARY = 16384, 57344
LINE_ALONE, LINE_WITH_DICTIONARY = 45056, 61440
SHORT_ESCAPES = 512
USUAL_LINES, LEAST_CHANCE = 4, 64


def identity(model: Model) -> int:
    """Of all that a short text's code depends on."""
    dictionary = model.dictionary.identity() if model.dictionary else 0
    return xxhash.xxh3_64_intdigest(u64(model.fingerprint(), model.arithmetic(), model.window, dictionary))


def decode_compact(data: bytes) -> bytes:
    """A text that needs no model."""
    method = data[0] >> 4 & 7
    coded = data[2:]
    if len(data) < 2 or data[0] >= COMPACT_LATER_SET or method not in (payload.STORED, payload.ZSTD, *payload.PLAIN_SOURCES):
        raise Damaged("the text is damaged, or needs another reader")
    if method == payload.STORED:
        text = coded
    elif method == payload.ZSTD:
        text = payload.decode_zstd(coded, payload.zstd_size(coded))
    else:
        text = payload.decode_plain(method, coded, None)
    content = xxhash.xxh3_64_intdigest(text)
    if content & 0xFF != data[1] or content >> 8 & 15 != data[0] & 15:
        raise Damaged("the text is damaged")
    return text


def sizes_of_lines(texts: list[bytes]) -> list[int]:
    """The chances of sizes with a dictionary: as its lines' are."""
    lines = [0] * 17
    for text in texts:
        for line in text.split(b"\n")[:-1]:
            lines[min((len(line) + 1).bit_length(), 16)] += 1
    odds, left = [], sum(lines)
    for bits, usual in enumerate(payload.USUAL_SIZES):
        chance = (lines[bits] * 65536 + USUAL_LINES * usual) // (left + USUAL_LINES)
        odds.append(min(max(chance, LEAST_CHANCE), 65536 - LEAST_CHANCE))
        left -= lines[bits]
    return odds


def decode_opening(coder: CheckedDecoder) -> int:
    """Which of the openings, by bisection."""
    chances = [chance for _, chance in OPENINGS]
    lo, hi = 0, len(chances)
    while hi - lo > 1:
        middle = lo + (hi - lo) // 2
        upper = (sum(chances[middle:hi]) << 16) // sum(chances[lo:hi])
        if coder.decide(upper):
            lo = middle
        else:
            hi = middle
    return lo


def decode_short(data: bytes, model: Model) -> bytes:
    coder = CheckedDecoder(data[1:])
    dictionary = model.dictionary
    if coder.decide(LATER_SET):
        raise Damaged("the text is damaged, or needs another reader")
    method = payload.MIXED if coder.decide(MIXED_WITH_DICTIONARY if dictionary else MIXED_ALONE) else payload.MODEL_ALONE
    opening: Opening | None = None
    if not dictionary:
        number = decode_opening(coder)
        opening = Opening(model, OPENINGS[number][0].encode()) if number > 0 else None
    line = coder.decide(LINE_WITH_DICTIONARY if dictionary else LINE_ALONE)
    escapes = bool(coder.decide(SHORT_ESCAPES))
    odds = sizes_of_lines([dictionary.sample, dictionary.opening]) if dictionary else payload.USUAL_SIZES
    if line:
        bits = payload.code_bits(coder, odds)
        if bits == 0:
            raise Damaged("the text's line has no end")
        size = (1 << bits) - 1
    else:
        size = payload.take_size(coder, odds)
    mixer = payload.make_mixer(model, method, [size])
    units = payload.UnitDecoder(coder, mixer, escapes)
    lane = payload.TextLane(model, model.open_lane(opening), size)
    text = b""
    while lane.room > 0 and not (line and b"\n" in text):
        text += lane.decode_unit(units, 0)
    if line:
        if not text.endswith(b"\n") or b"\n" in text[:-1]:
            raise Damaged("the text's line ends in the wrong place")
        text = text[:-1]
    coder.check_end()
    if data[0] != xxhash.xxh3_64_intdigest(text, identity(model)) & 0x7F:
        raise Damaged("the text is damaged, or was coded with another model")
    return text
