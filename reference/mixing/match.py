"""What followed an earlier occurrence of the last bytes: docs/spec/mixing.md, "Matches"."""

from __future__ import annotations

from dataclasses import dataclass

from reference.mixing.counters import adapted, adaptive
from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import MASK64, STRETCH, toward_zero

LONGEST = 65535
COMPARE = 48
TRUST_LIMIT = 255


@dataclass
class LaneBytes:
    """A lane's bytes in the frame, and where those that are known end."""

    begin: int
    end: int
    known: int


@dataclass
class Cursor:
    """A lane's part of the model."""

    at: int = 0  # of the expected byte, where length > 0
    lane: int = 0  # that holds it
    length: int = 0  # bytes that matched before it; 0: no match
    missed: int = 0  # bytes since the last failure
    expected: int = -1  # byte expected, -1: none (any more)

    def bucket(self) -> int:
        """0: nothing expected, otherwise 1 to 15 by length."""
        n = self.length
        if self.expected < 0:
            return 0
        if n < 8:
            return max(1, n // 2)
        if n < 32:
            return 4 + (n - 8) // 4
        return min(15, 5 + n.bit_length() - 1)


class MatchModel:
    trust: list[int]

    def __init__(self, min_length: int, hash_bits: int, learned: MatchModel | None = None) -> None:
        self.min_length = min_length
        self.shift = 64 - hash_bits
        self.places: dict[int, tuple[int, int]] = {}  # by hash: position behind the bytes, 32 more bits of the hash
        self.behind = learned
        self.trust = list(learned.trust) if learned else [adaptive(65535 - 32768 // (2 + (i >> 2)), 4) for i in range(64)]
        self.trust_at = 0
        self.expected_bit = -1

    def find_last(self, hash: int) -> tuple[int, int] | None:
        own = self.places.get(hash >> self.shift)
        if own and own[1] == hash & 0xFFFFFFFF or self.behind is None:
            return own
        return self.behind.find_last(hash)

    def advance(self, cursor: Cursor, data: bytearray, lanes: list[LaneBytes], lane: int) -> None:
        """Behind each byte of a lane."""
        own = lanes[lane]
        end = own.known
        if cursor.length > 0 and cursor.at < lanes[cursor.lane].known and data[cursor.at] == data[end - 1]:
            cursor.length = min(cursor.length + 1, LONGEST)
            cursor.missed = min(cursor.missed + 1, 255)
            cursor.at += 1
            self.enter_next_lane(cursor, lanes)
        else:
            if cursor.length > 0:
                cursor.missed = 0
            cursor.length = 0
        if end - own.begin >= self.min_length:
            hash = self.min_length
            for byte in data[end - self.min_length : end]:
                hash = (hash + byte + 1) * 0x2F0B4C47 & MASK64
            hash = mix_hash(hash, 0)
            if cursor.length == 0:
                self.take_candidate(cursor, self.find_last(hash), hash, data, lanes, lane)
            self.places[hash >> self.shift] = (end, hash & 0xFFFFFFFF)
        place = lanes[cursor.lane]
        cursor.expected = data[cursor.at] if cursor.length > 0 and place.begin <= cursor.at < place.known else -1

    def take_candidate(
        self, cursor: Cursor, last: tuple[int, int] | None, hash: int, data: bytearray, lanes: list[LaneBytes], lane: int
    ) -> None:
        if last is None or last[1] != hash & 0xFFFFFFFF:
            return
        candidate, own = last[0], lanes[lane]
        end = own.known
        of = lane
        if not own.begin <= candidate - 1 < own.end:
            of = max(i for i, place in enumerate(lanes) if place.begin <= candidate - 1)
        same, longest = 0, min(COMPARE, candidate - lanes[of].begin, end - own.begin)
        while same < longest and data[candidate - 1 - same] == data[end - 1 - same]:
            same += 1
        if same >= self.min_length:
            cursor.length, cursor.at, cursor.lane = same, candidate, of
            self.enter_next_lane(cursor, lanes)

    @staticmethod
    def enter_next_lane(cursor: Cursor, lanes: list[LaneBytes]) -> None:
        """What is expected behind a lane's last byte is the next lane's first."""
        if cursor.at >= lanes[cursor.lane].end:
            cursor.lane += 1
            if cursor.lane >= len(lanes):
                cursor.lane = cursor.length = 0

    def predict(self, cursor: Cursor, partial: int) -> tuple[int, int]:
        self.expected_bit = -1
        if cursor.expected < 0:
            return 0, 0
        self.expected_bit = cursor.expected >> (8 - partial.bit_length()) & 1
        recency = 0 if cursor.missed < 8 else 1 if cursor.missed < 16 else 2 if cursor.missed < 32 else 3
        self.trust_at = cursor.bucket() * 4 + recency
        p = self.trust[self.trust_at] >> 16
        sign = 1 if self.expected_bit else -1
        return sign * STRETCH[p], toward_zero(sign * (p - 32768), 16)

    def update(self, cursor: Cursor, bit: int) -> None:
        if self.expected_bit < 0:
            return
        self.trust[self.trust_at] = adapted(self.trust[self.trust_at], bit == self.expected_bit, TRUST_LIMIT)
        if bit != self.expected_bit:
            cursor.expected = -1
