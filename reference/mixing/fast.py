"""The fast context models: docs/spec/mixing.md, "The fast network"."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from reference.mixing import match
from reference.mixing.bank import node_of
from reference.mixing.counters import NEXT_STATE, SEEN, ProbMap, adapted, history_map
from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import MASK64, STRETCH, clamp_probability, squash, toward_zero
from reference.mixing.mixer import WEIGHT_ONE, dot, scaled_error, trained
from reference.mixing.network import order1_contexts

MAP_LIMIT = 1023
RATE = 300
HASHED = 5
INPUTS = 8
MATCH_VECTORS = 16 * 3


class Slot:
    """A nibble of one context."""

    __slots__ = ("check", "state")

    def __init__(self) -> None:
        self.check = 0
        self.state = [0] * 15


@dataclass
class Place:
    """Where a lane is."""

    hash: list[int] = field(default_factory=lambda: [0] * HASHED)
    slot: list[Slot] = field(default_factory=list)
    last8: int = 0
    word: int = 0
    partial: int = 1
    match: match.Cursor = field(default_factory=match.Cursor)


class FastModel:
    def __init__(self, frame_bytes: int, lanes: int) -> None:
        self.shift = 64 - min(max((frame_bytes * 10).bit_length(), 8), 22)
        self.slots: dict[int, Slot] = {}
        self.order1 = [0] * 65536
        self.places = [Place() for _ in range(lanes)]
        self.match = match.MatchModel(7, min(max(frame_bytes.bit_length(), 6), 18))
        self.maps = [history_map() for _ in range(HASHED + 1)]
        self.weights = np.full((256 + MATCH_VECTORS, INPUTS), WEIGHT_ONE * 2 // 10, np.int64)
        self.order1_mask = order1_contexts(frame_bytes) - 1
        self.by_order1 = ProbMap(20, 255)

    def find(self, hash: int) -> Slot:
        check = (hash & 0xFF | 1) ^ (hash >> 8 & 0x7E)
        first = hash >> self.shift
        slots = []
        for place in (first, first ^ 1, first ^ 2):
            slot = self.slots.get(place)
            if slot is None:
                slot = self.slots[place] = Slot()
            if slot.check == check:
                return slot
            slots.append(slot)
        victim = min(slots, key=lambda slot: SEEN[slot.state[0]])  # the first of those that have seen least
        victim.check, victim.state = check, [0] * 15
        return victim

    def predict(self, lane: int) -> int:
        place = self.places[lane]
        partial = place.partial
        if partial == 1 or 16 <= partial < 32:
            if partial != 1:
                hashes = [(h + partial) * 0xA0761D6478BD642F & MASK64 for h in place.hash]
                place.hash = [h ^ h >> 31 for h in hashes]
            place.slot = [self.find(h) for h in place.hash]
        self.node = node_of(partial, partial.bit_length() - 1)
        self.order1_at = (place.last8 & 255) << 8 | partial
        self.states = [slot.state[self.node] for slot in place.slot] + [self.order1[self.order1_at]]
        inputs = [STRETCH[m[s] >> 16] if s else 0 for m, s in zip(self.maps, self.states)]
        of_match = self.match.predict(place.match, partial)
        self.inputs = np.array([*inputs, *of_match], np.int64)
        expected = 0 if place.match.expected < 0 else 1 + (of_match[0] > 0)
        self.vectors = [partial, 256 + place.match.bucket() * 3 + expected]
        self.opinions = [int(o) for o in dot(self.inputs, self.weights[self.vectors])]
        mixed = toward_zero(sum(self.opinions), 2)
        p1 = self.by_order1.refine(mixed, self.order1_at & self.order1_mask)
        return clamp_probability((squash(mixed) + 3 * p1 + 2) // 4)

    def update(self, lane: int, bit: int) -> None:
        place = self.places[lane]
        for i in range(HASHED + 1):
            # Slots may be one and the same: each is updated from what it is then.
            state = place.slot[i].state[self.node] if i < HASHED else self.order1[self.order1_at]
            if state:
                self.maps[i][state] = adapted(self.maps[i][state], bit, MAP_LIMIT)
            if i < HASHED:
                place.slot[i].state[self.node] = NEXT_STATE[state][bit]
            else:
                self.order1[self.order1_at] = NEXT_STATE[state][bit]
        self.match.update(place.match, bit)
        errors = [scaled_error(bit, squash(o), RATE) for o in self.opinions]
        self.weights[self.vectors] = trained(self.weights[self.vectors], self.inputs, np.array(errors))
        self.by_order1.update(bit)
        place.partial = place.partial << 1 | bit

    def end_byte(self, lane: int, data: bytearray, lanes: list[match.LaneBytes]) -> None:
        place = self.places[lane]
        byte = place.partial & 255
        place.partial = 1
        place.last8 = (place.last8 << 8 | byte) & MASK64
        folded = byte + 32 if 65 <= byte <= 90 else byte
        is_letter = 97 <= folded <= 122 or byte >= 128
        place.word = ((place.word + folded) * 0x2F0B4C4750 + 1) & MASK64 if is_letter else 0
        last = place.last8
        contexts = [last & 0xFFFF, last & 0xFFFFFF, last & 0xFFFFFFFF, last & 0xFFFFFFFFFFFF, place.word + byte & MASK64]
        place.hash = [mix_hash(context, i + 1) for i, context in enumerate(contexts)]
        self.match.advance(place.match, data, lanes, lane)
