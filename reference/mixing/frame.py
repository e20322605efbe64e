"""A frame's mixer: docs/spec/mixing.md, "A decision" and "Going on from what was learned"."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from reference.mixing import bank, match
from reference.mixing.contexts import ALONE, MIXED, TOKEN, Followers, History
from reference.mixing.end import EndModel
from reference.mixing.fast import FastModel
from reference.mixing.logistic import PROB_HALF, STRETCH, clamp_probability
from reference.mixing.network import BitNetwork, Situation

MIN_LENGTHS = (7, 4)
LLM, FAST, STRONG, ALL = "model alone", "fast context models", "context models", "all"


@dataclass
class Lane:
    """Where a lane is."""

    history: History = field(default_factory=History)
    contexts: bank.Cursor = field(default_factory=bank.Cursor)
    match: list[match.Cursor] = field(default_factory=lambda: [match.Cursor() for _ in MIN_LENGTHS])
    partial: int = 1  # the byte's leading bits, under a leading one


def match_bits(frame_bytes: int) -> int:
    return min(max(frame_bytes.bit_length(), 6), 20)


class FrameMixer:
    """`sizes`: bytes of each lane. `learned`: a mixer of ALL with one lane that each lane goes on from."""

    data: bytearray  # the frame's, behind what was learned before
    places: list[match.LaneBytes]
    lanes: list[Lane]
    bank: bank.Bank
    matches: list[match.MatchModel]
    followers: Followers
    with_model: BitNetwork
    ends: EndModel
    token_starts: set[int]
    no_tokens_before: int

    def __init__(self, sources: str, sizes: list[int], learned: FrameMixer | None = None) -> None:
        self.sources = sources
        frame_bytes = sum(sizes)
        self.before = learned.places[0].known if learned else 0  # bytes of what was learned before
        self.first = 1 if learned else 0  # number of the first lane; what was learned is lane 0
        self.data = bytearray(learned.data[: self.before] if learned else b"") + bytes(frame_bytes)
        self.places = [match.LaneBytes(0, self.before, self.before)] if learned else []
        for size in sizes:
            begin = self.places[-1].end if self.places else 0
            self.places.append(match.LaneBytes(begin, begin + size, begin))
        self.lanes = [copy_of(learned.lanes[0]) if learned else Lane() for _ in self.places]
        self.network: BitNetwork | None = None  # that predicted the present bit
        if sources == LLM:
            return
        if sources == FAST:
            self.fast = FastModel(frame_bytes, len(sizes))
            return
        self.bank = bank.Bank(ALONE if sources == STRONG else MIXED | TOKEN, frame_bytes, learned.bank if learned else None)
        behind = learned.matches if learned else [None] * len(MIN_LENGTHS)
        self.matches = [match.MatchModel(n, match_bits(frame_bytes), b) for n, b in zip(MIN_LENGTHS, behind)]
        self.followers = Followers(dict(learned.followers.after2)) if learned else Followers()
        self.experts = len(self.bank.contexts) * bank.INPUTS_EACH + 2 * len(self.matches)
        self.alone: BitNetwork | None = None
        if sources == ALL:
            self.with_model = BitNetwork(self.experts, True, frame_bytes, learned.with_model if learned else None)
            self.ends = EndModel(frame_bytes, learned.ends if learned else None)
        self.token_starts = set(learned.token_starts) if learned else set()
        self.no_tokens_before = learned.no_tokens_before if learned else 0
        for lane in self.lanes:
            self.bank.start_byte(lane.contexts, lane.history)

    def frame(self) -> bytes:
        return bytes(self.data[self.before :])

    def read(self, text: bytes) -> None:
        """Bytes that the one lane begins with and that no token is known of."""
        for byte in text:
            for shift in range(7, -1, -1):
                self.skip_bit(0, byte >> shift & 1)
        self.no_tokens_before = self.places[0].known

    def begin_token(self, number: int) -> None:
        if self.sources != ALL:
            return
        lane = self.lanes[number + self.first]
        h = lane.history
        h.tokens = (h.prefix, h.tokens[0], h.tokens[1])
        h.prefix = h.depth = 0
        self.token_starts.add(self.places[number + self.first].known)
        self.bank.start_byte(lane.contexts, h)

    def predict_bit(self, number: int, model_p: int) -> int:
        """P(one) of the next bit of a token's byte, of which the model says `model_p`."""
        model_p = clamp_probability(model_p)
        if self.sources == LLM:
            return model_p
        return self.predict(self.lanes[number + self.first], self.with_model, bank.MODEL, model_p)

    def predict_bit_alone(self, number: int) -> int:
        """The same of a byte that no token spells, or of a frame without the model."""
        if self.sources == LLM:
            return PROB_HALF
        if self.sources == FAST:
            return self.fast.predict(number)
        if self.alone is None:
            self.alone = BitNetwork(self.experts, False, len(self.data))
        base = bank.CHAIN if self.sources == STRONG else bank.NOTHING
        return self.predict(self.lanes[number + self.first], self.alone, base, PROB_HALF)

    def update_bit(self, number: int, bit: int) -> None:
        if self.network:
            self.network.update(bit)
        self.advance(number + self.first, bit)

    def skip_bit(self, number: int, bit: int) -> None:
        """A bit that only one possibility leaves, or that is read: nothing is coded, but it is part of the history."""
        if self.sources == ALL:
            self.gather(self.lanes[number + self.first], bank.NOTHING, 0)
        self.advance(number + self.first, bit)

    def predict_end(self, number: int, model_p: int) -> int:
        model_p = clamp_probability(model_p)
        if self.sources == LLM:
            return model_p
        lane = self.lanes[number + self.first]
        repeat, bucket = -1, 0
        for cursor in lane.match:
            if repeat < 0 and cursor.expected >= 0 and cursor.at >= self.no_tokens_before:
                repeat, bucket = int(cursor.at in self.token_starts), cursor.bucket()
        return self.ends.predict(lane.history, model_p, repeat, bucket)

    def update_end(self, ended: int) -> None:
        if self.sources != LLM:
            self.ends.update(ended)

    def gather(self, lane: Lane, base: int, model_stretch: int) -> list[int]:
        inputs = self.bank.predict(lane.contexts, lane.partial, base, model_stretch)
        for model, cursor in zip(self.matches, lane.match):
            inputs += model.predict(cursor, lane.partial)
        return inputs

    def predict(self, lane: Lane, network: BitNetwork, base: int, model_p: int) -> int:
        inputs = self.gather(lane, base, STRETCH[model_p])
        self.network = network
        h, longer = lane.history, lane.match[0]
        situation = Situation(
            column=min(h.column, 127) * 2 + (h.byte(0) == 32),
            partial=lane.partial,
            byte1=h.byte(0),
            byte2=h.byte(1),
            match=longer.bucket(),
            match_short=lane.match[1].bucket(),
            expected_bit=longer.expected >> (8 - lane.partial.bit_length()) & 1 if longer.expected >= 0 else -1,
            seen=lane.contexts.seen,
            depth=h.depth,
        )
        return network.predict(situation, model_p, inputs)

    def advance(self, number: int, bit: int) -> None:
        self.network = None
        lane, place = self.lanes[number], self.places[number]
        if self.sources == FAST:
            self.fast.update(number, bit)
        elif self.sources != LLM:
            self.bank.update(lane.contexts, lane.partial, bit)
            for model, cursor in zip(self.matches, lane.match):
                model.update(cursor, bit)
        lane.partial = lane.partial << 1 | bit
        if lane.partial < 256:
            return
        byte, lane.partial = lane.partial & 255, 1
        self.data[place.known] = byte
        place.known += 1
        if self.sources == FAST:
            self.fast.end_byte(number, self.data, self.places)
        elif self.sources != LLM:
            self.end_byte(number, byte)

    def end_byte(self, number: int, byte: int) -> None:
        lane, place = self.lanes[number], self.places[number]
        h = lane.history
        before = self.before if number >= self.first else 0

        def back(count: int) -> int:
            """The byte so many back: the lane's, or of what it begins with."""
            own = place.known - place.begin
            return self.data[place.known - count] if count <= own else self.data[before - (count - own)]

        self.followers.advance(h, byte, back)
        h.expected = 0
        for model, cursor in zip(self.matches, lane.match):
            model.advance(cursor, self.data, self.places, number)
            if cursor.expected >= 0 and h.expected == 0:
                h.expected = cursor.expected + 1 | cursor.bucket() << 9
        self.bank.start_byte(lane.contexts, h)


def copy_of(lane: Lane) -> Lane:
    """A lane's history and matches; its buckets are found anew."""
    return Lane(copy.copy(lane.history), bank.Cursor(), [copy.copy(cursor) for cursor in lane.match], lane.partial)
