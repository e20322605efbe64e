"""Does the token end here? docs/spec/mixing.md, "The end of a token"."""

from __future__ import annotations

import copy

from reference.mixing.contexts import History
from reference.mixing.counters import MODEL_BIAS_STEP, NEXT_STATE, SEEN, ProbMap, adapted, adaptive, corrected_bias, history_map
from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import MASK64, STRETCH, STRETCH_MAX, clamp_probability, squash
from reference.mixing.mixer import RATES_SHORT_TEXT, SHORT_TEXT, WEIGHT_ONE, GatedMixer, Rates

CONTEXTS = 9
MAP_LIMIT = 255
DEPTHS = 12
RATES = Rates(250, 100, 200, 40)
BIAS_WEIGHT = 8000
SET_SIZES = [DEPTHS * 16, 16 * 3, 256]


class Slot:
    __slots__ = ("bias", "check", "state")

    def __init__(self) -> None:
        self.check = self.bias = self.state = 0


class EndModel:
    by_state: list[list[int]]
    repeat_trust: list[int]
    mixer: GatedMixer
    by_depth: ProbMap
    by_byte: ProbMap

    def __init__(self, frame_bytes: int, learned: EndModel | None = None) -> None:
        self.shift = 64 - min(max(frame_bytes.bit_length() + 2, 8), 21)
        self.slots: dict[int, Slot] = {}
        self.behind = learned
        if learned:
            self.by_state = [list(m) for m in learned.by_state]
            self.repeat_trust = list(learned.repeat_trust)
            self.mixer = learned.mixer.copy()
            self.by_depth, self.by_byte = copy.deepcopy(learned.by_depth), copy.deepcopy(learned.by_byte)
            return
        short = frame_bytes < SHORT_TEXT
        self.by_state = [history_map() for _ in range(CONTEXTS)]
        self.repeat_trust = [adaptive(60000, 2)] * 32
        bias_weight = 0 if short else BIAS_WEIGHT
        weights = [WEIGHT_ONE] + [0, bias_weight] * CONTEXTS + [0]
        self.mixer = GatedMixer(weights, SET_SIZES, DEPTHS, RATES_SHORT_TEXT if short else RATES)
        self.by_depth = ProbMap(30, 500)
        self.by_byte = ProbMap(30, 255)

    def find(self, context: int, hash: int) -> Slot:
        """All contexts share one table."""
        hash = mix_hash(hash, context + 101)
        check = hash & 0xFFFF | 1
        slot = self.slots.setdefault(hash >> self.shift, Slot())
        if slot.check != check:
            slot.check, slot.bias, slot.state = check, 0, 0
            known = self.behind.slots.get(hash >> self.behind.shift) if self.behind else None
            if known and known.check == check:
                slot.bias, slot.state = known.bias, known.state
        return slot

    def predict(self, h: History, model_p: int, repeat: int, repeat_bucket: int) -> int:
        prefix = h.prefix + h.depth & MASK64
        hashes = [
            prefix,
            mix_hash(prefix, h.tokens[0]),
            mix_hash(mix_hash(prefix, h.tokens[0]), h.tokens[1]),
            mix_hash(h.bytes(2), h.depth),
            mix_hash(h.bytes(4), h.depth),
            mix_hash(h.bytes(6), h.depth),
            mix_hash(h.word, h.depth),
            mix_hash(mix_hash(h.word, h.word_before), h.depth),
            mix_hash(mix_hash(h.expected, h.bytes(1)), h.depth),
        ]
        self.model_stretch = STRETCH[model_p]
        inputs = [self.model_stretch]
        self.found = []
        for i, hash in enumerate(hashes):
            slot = self.find(i, hash)
            self.found.append(slot)
            inputs += (STRETCH[self.by_state[i][slot.state] >> 16] if slot.state else 0, slot.bias)
        self.repeat = repeat
        if repeat >= 0:
            self.repeat_at = repeat_bucket * 2 + repeat
            trust = STRETCH[self.repeat_trust[self.repeat_at] >> 16]
            inputs.append(trust if repeat else -trust)
        else:
            inputs.append(0)
        depth = min(h.depth, DEPTHS - 1)
        confidence = min((self.model_stretch + STRETCH_MAX + 1) // 1536, 15)
        selected = [depth * 16 + confidence, repeat_bucket * 3 + repeat + 1, h.byte(0)]
        mixed = self.mixer.mix(inputs, selected, depth)
        p1 = self.by_depth.refine(mixed, depth)
        p2 = self.by_byte.refine(mixed, h.byte(0))
        return clamp_probability((2 * squash(mixed) + p1 + p2 + 2) // 4)

    def update(self, ended: int) -> None:
        for i, slot in enumerate(self.found):
            if slot.state:
                self.by_state[i][slot.state] = adapted(self.by_state[i][slot.state], ended, MAP_LIMIT)
            slot.bias = corrected_bias(slot.bias, self.model_stretch, SEEN[slot.state], ended, MODEL_BIAS_STEP)
            slot.state = NEXT_STATE[slot.state][ended]
        if self.repeat >= 0:
            self.repeat_trust[self.repeat_at] = adapted(self.repeat_trust[self.repeat_at], ended == self.repeat, MAP_LIMIT)
        self.mixer.update(ended)
        self.by_depth.update(ended)
        self.by_byte.update(ended)
