"""Gated mixing: docs/spec/mixing.md, "Mixers"."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np

from reference.mixing.logistic import clamp_stretch, squash

WEIGHT_ONE = 65536
WEIGHT_MAX = 8 * 65536 - 1
SHORT_TEXT = 300  # bytes; below, mixers beside the model keep to it and learn slowly


class Rates(NamedTuple):
    first_start: int
    first_end: int
    first_decay: int
    second: int


RATES_SHORT_TEXT = Rates(30, 30, 100, 10)


def dot(inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Stretch of each vector's weighted sum. Sums are of 32 bits and wrap."""
    sums = np.clip(weights >> 4, -32768, 32767) @ inputs
    sums = ((sums + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    return np.clip(sums >> 12, -12287, 12287)


def scaled_error(bit: int, probability: int, rate: int) -> int:
    scaled = ((bit << 16) - probability) * rate + (1 << 9) >> 10
    return min(max(scaled, -32767), 32767)


def trained(weights: np.ndarray, inputs: np.ndarray, errors: np.ndarray) -> np.ndarray:
    steps = np.multiply.outer(errors, inputs) + (1 << 15) >> 16
    return np.clip(weights + steps, -WEIGHT_MAX, WEIGHT_MAX)


class GatedMixer:
    """Sets of weight vectors, of which contexts pick one each; then a second layer over what these say."""

    def __init__(self, weights: list[int], set_sizes: list[int], second_contexts: int, rates: Rates) -> None:
        self.begin = np.cumsum([0, *set_sizes[:-1]])
        self.sizes = set_sizes
        vectors = sum(set_sizes)
        self.weights = np.tile(np.array(weights, np.int64), (vectors, 1))
        self.uses = [0] * vectors
        self.second = [[WEIGHT_ONE // len(set_sizes)] * len(set_sizes) for _ in range(second_contexts)]
        self.rates = rates

    def copy(self) -> GatedMixer:
        return copy.deepcopy(self)

    def mix(self, inputs: list[int], selected: list[int], second_context: int) -> int:
        """The stretch of the mixed probability. `selected`: a vector of each set."""
        self.inputs = np.array(inputs, np.int64)
        self.vectors = [int(b) + min(i, n - 1) for b, i, n in zip(self.begin, selected, self.sizes)]
        self.picked = self.weights[self.vectors]
        self.opinions = [int(o) for o in dot(self.inputs, self.picked)]
        self.second_weights = self.second[second_context]
        total = sum(o * w for o, w in zip(self.opinions, self.second_weights))
        result = clamp_stretch(total + (1 << 15) >> 16)
        self.mixed = squash(result)
        return result

    def update(self, bit: int) -> None:
        rates, errors = self.rates, []
        for vector, opinion in zip(self.vectors, self.opinions):
            falling = (rates.first_start - rates.first_end) * rates.first_decay
            rate = rates.first_end + falling // (rates.first_decay + self.uses[vector])
            self.uses[vector] = min(self.uses[vector] + 1, 65535)
            errors.append(scaled_error(bit, squash(opinion), rate))
        self.weights[self.vectors] = trained(self.picked, self.inputs, np.array(errors))
        error = scaled_error(bit, self.mixed, rates.second)
        for s, opinion in enumerate(self.opinions):
            weight = self.second_weights[s] + (opinion * error + (1 << 15) >> 16)
            self.second_weights[s] = min(max(weight, -WEIGHT_MAX), WEIGHT_MAX)
