"""The network of a byte's bits: docs/spec/mixing.md, "The network of bits"."""

from __future__ import annotations

from dataclasses import dataclass

from reference.mixing.counters import ProbMap
from reference.mixing.hashing import mix_hash
from reference.mixing.logistic import STRETCH, STRETCH_MAX, STRETCH_ONE, clamp_probability, squash
from reference.mixing.mixer import RATES_SHORT_TEXT, SHORT_TEXT, WEIGHT_ONE, GatedMixer, Rates

DEPTHS = 6
COLUMNS = 256
CONFIDENCES = 24
OWN_INPUTS = 2
MATCH_INPUTS = 4
RATES_WITH_MODEL = Rates(250, 60, 800, 20)
RATES_ALONE = Rates(800, 80, 300, 100)
START_WEIGHTS = [400, 150, 1500]
EXPERT_WEIGHT = WEIGHT_ONE // 30
SMALL_FRAME = 8192


@dataclass
class Situation:
    """Small facts about a decision."""

    column: int
    partial: int
    byte1: int
    byte2: int
    match: int
    match_short: int
    expected_bit: int
    seen: int
    depth: int


def start_weights(experts: int, with_model: bool, short_text: bool) -> list[int]:
    if not with_model:
        return [0, 0] + [EXPERT_WEIGHT] * experts
    contexts = (experts - MATCH_INPUTS) // len(START_WEIGHTS)
    of_contexts = START_WEIGHTS if not short_text else [0] * len(START_WEIGHTS)
    return [WEIGHT_ONE, 0] + of_contexts * contexts + [0] * MATCH_INPUTS


def set_sizes(with_model: bool) -> list[int]:
    if with_model:
        return [16 * 3, 256, CONFIDENCES * 8, DEPTHS * 8 * 4, 256, COLUMNS]
    return [16 * 16, 256, 256, 256 * 8, 40 * 8, COLUMNS]


def order1_contexts(frame_bytes: int) -> int:
    return 256 if frame_bytes < SMALL_FRAME else 65536


class BitNetwork:
    mixer: GatedMixer
    by_model: ProbMap

    def __init__(self, experts: int, with_model: bool, frame_bytes: int, learned: BitNetwork | None = None) -> None:
        self.with_model = with_model
        short = frame_bytes < SHORT_TEXT
        if learned:
            self.mixer = learned.mixer.copy()
            self.by_model = learned.by_model_copy()
        else:
            rates = RATES_ALONE if not with_model else RATES_SHORT_TEXT if short else RATES_WITH_MODEL
            self.mixer = GatedMixer(start_weights(experts, with_model, short), set_sizes(with_model), 256, rates)
            self.by_model = ProbMap(30, 500)
        self.order1_mask = order1_contexts(frame_bytes) - 1
        self.order2_mask = (1 << min(max(frame_bytes.bit_length() - 2, 6), 16)) - 1
        self.by_order1 = ProbMap(20, 255)
        self.by_order2 = ProbMap(20, 255)

    def by_model_copy(self) -> ProbMap:
        copy = ProbMap(30, 500)
        copy.curves = {context: list(curve) for context, curve in self.by_model.curves.items()}
        return copy

    def select(self, s: Situation, confidence: int) -> list[int]:
        bits = s.partial.bit_length() - 1
        if self.with_model:
            known = (min(s.depth, DEPTHS - 1) * 8 + bits) * 4 + min(s.seen // 6, 3)
            return [s.match * 3 + s.expected_bit + 1, s.partial, confidence * 8 + bits, known, s.byte1, s.column]
        return [s.match * 16 + s.match_short, s.partial, s.byte1, s.byte2 * 8 + bits, min(s.seen, 39) * 8 + bits, s.column]

    def predict(self, s: Situation, model_p: int, experts: list[int]) -> int:
        model_stretch = STRETCH[model_p] if self.with_model else 0
        confidence = (model_stretch + STRETCH_MAX + 1) // STRETCH_ONE
        mixed = self.mixer.mix([model_stretch, STRETCH_ONE // 4, *experts], self.select(s, confidence), s.partial)
        p1 = self.by_order1.refine(mixed, (s.byte1 << 8 | s.partial) & self.order1_mask)
        p2 = self.by_order2.refine(mixed, mix_hash(s.partial << 16 | s.byte1 << 8 | s.byte2, 7) & self.order2_mask)
        result = (p1 + p2 + 1) // 2
        if self.with_model:
            p3 = self.by_model.refine(mixed, confidence * DEPTHS + min(s.depth, DEPTHS - 1))
            result = (6 * squash(mixed) + 3 * p1 + 3 * p2 + 4 * p3 + 8) // 16
        return clamp_probability(result)

    def update(self, bit: int) -> None:
        self.mixer.update(bit)
        self.by_order1.update(bit)
        self.by_order2.update(bit)
        if self.with_model:
            self.by_model.update(bit)
