"""What contexts are made of, and the table of them: docs/spec/mixing.md, "Histories" and "Contexts"."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import MASK64

ALONE, MIXED, TOKEN = 1, 2, 4  # networks that a context belongs to


@dataclass
class History:
    """The past of one lane."""

    last8: int = 0  # the last 8 bytes, the newest lowest
    word: int = 0  # hash of the letters since the last other byte
    word_before: int = 0
    word_before2: int = 0
    classes: int = 0  # kinds of the last 16 bytes, 4 bits each
    column: int = 0  # bytes since the last line break
    line_before: int = 0  # length of the line before, with its break
    above: int = 0  # the byte above, in the line before
    after2: int = 0  # the two bytes that followed the last two bytes before, the newest lowest
    expected: int = 0  # byte expected by a match model + 1, and the match's bucket << 9
    depth: int = 0  # bytes of the present token
    prefix: int = 0  # hash of these bytes
    tokens: tuple[int, int, int] = (0, 0, 0)  # hashes of the last tokens, newest first

    def byte(self, back: int) -> int:
        return self.last8 >> (8 * back) & 255

    def bytes(self, count: int) -> int:
        return self.last8 & ((1 << (8 * count)) - 1)


@dataclass(frozen=True)
class Row:
    name: str
    networks: int
    bits: int  # its table never has more than 2^bits buckets
    hash: Callable[[History], int]


def _two(a: int, b: int) -> int:
    return mix_hash(a & MASK64, b)


BOTH = ALONE | MIXED
ROWS = [
    Row("order 1", BOTH, 13, lambda h: h.bytes(1)),
    Row("order 2", BOTH, 16, lambda h: h.bytes(2)),
    Row("order 3", BOTH, 17, lambda h: h.bytes(3)),
    Row("order 4", BOTH, 17, lambda h: h.bytes(4)),
    Row("order 5", BOTH, 17, lambda h: h.bytes(5)),
    Row("order 6", BOTH, 17, lambda h: h.bytes(6)),
    Row("order 0", ALONE, 8, lambda h: 0),
    Row("word", BOTH, 17, lambda h: _two(h.word, h.byte(0))),
    Row("word, word before", BOTH, 17, lambda h: _two(h.word + h.byte(0), h.word_before)),
    Row("word, second word before", ALONE, 17, lambda h: _two(h.word + h.byte(0), h.word_before2)),
    Row("word, two words before", BOTH, 17, lambda h: _two(_two(h.word + h.byte(0), h.word_before), h.word_before2)),
    Row("bytes 2-3", BOTH, 17, lambda h: h.last8 >> 8 & 0xFFFF),
    Row("bytes 2-4", ALONE, 17, lambda h: h.last8 >> 8 & 0xFFFFFF),
    Row("bytes 1, 3", ALONE, 17, lambda h: h.last8 & 0xFF00FF),
    Row("above, column", BOTH, 17, lambda h: _two(h.above, h.column)),
    Row("above, order 1", BOTH, 17, lambda h: _two(h.above, h.byte(0))),
    Row("column, kind of byte 1", BOTH, 17, lambda h: _two(h.column, h.classes & 15)),
    Row("column, kinds", ALONE, 17, lambda h: _two(h.column, h.classes & 0xFFF)),
    Row("column, word", BOTH, 17, lambda h: _two(h.column, h.word)),
    Row("column, line before", BOTH, 17, lambda h: _two(h.line_before * 256 + h.column & 0xFFFFFFFF, h.classes & 15)),
    Row("kinds of bytes", BOTH, 17, lambda h: _two(h.classes & 0xFFFFFF, h.byte(0))),
    Row("expected byte, order 1", BOTH, 17, lambda h: _two(h.expected, h.byte(0))),
    Row("order 8", ALONE, 17, lambda h: h.bytes(8)),
    Row("order 3, word before", BOTH, 17, lambda h: _two(h.bytes(3), h.word_before)),
    Row("kinds of 16 bytes", BOTH, 17, lambda h: _two(h.classes, h.bytes(1))),
    Row("kinds of bytes, word before", ALONE, 17, lambda h: _two(h.classes & 0xFFFF, h.word_before)),
    Row("order 1, word before", BOTH, 17, lambda h: _two(h.bytes(1), h.word_before)),
    Row("word, follower of 2", BOTH, 17, lambda h: _two(h.word, h.after2 & 0xFF)),
    Row("token prefix", TOKEN, 17, lambda h: _two(h.prefix, h.depth)),
    Row("token prefix, token before", TOKEN, 17, lambda h: _two(h.prefix + h.depth, h.tokens[0])),
    Row("token prefix, two tokens before", TOKEN, 17, lambda h: _two(_two(h.prefix + h.depth, h.tokens[0]), h.tokens[1])),
]


def kind_of(c: int) -> int:
    if 97 <= c <= 122:
        return 1
    if 65 <= c <= 90:
        return 2
    if 48 <= c <= 57:
        return 3
    if c >= 128:
        return 4
    if c == 32:
        return 5
    if c == 10:
        return 6
    if c < 32:
        return 7
    return 8 + (c & 7)


@dataclass
class Followers:
    """What followed each two bytes, in any lane."""

    after2: dict[int, int] = field(default_factory=dict)

    def advance(self, h: History, byte: int, back: Callable[[int], int]) -> None:
        """Appends `byte` to a lane's history. `back` gives the byte so many back, this one being 1."""
        pair = h.bytes(2)
        self.after2[pair] = (self.after2.get(pair, 0) << 8 | byte) & 0xFFFF
        h.last8 = (h.last8 << 8 | byte) & MASK64
        h.after2 = self.after2.get(h.bytes(2), 0)
        kind = kind_of(byte)
        h.classes = (h.classes << 4 | kind) & MASK64
        if kind in (1, 2, 4):
            h.word = mix_hash(h.word, byte + 32 if kind == 2 else byte)
        elif h.word:
            h.word_before2, h.word_before, h.word = h.word_before, h.word, 0
        if byte == 10:
            h.line_before, h.column = h.column + 1, 0
        else:
            h.column += 1
        h.above = back(h.line_before) if h.line_before > h.column else 0
        h.prefix = mix_hash(h.prefix, byte)
        h.depth += 1
