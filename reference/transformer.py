"""From tokens to logits: docs/spec/transformer.md."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from reference.arithmetic import (
    F, LANES, TINY, Quantized, cap, exp_or_zero, f32, fma, gelu, largest, maximum, quantize, rms_norm, rotate, round_to_int, silu, tree_add,
)  # fmt: skip
from reference.rope import RotaryTable
from reference.weights import NOT_ROTATED, Layer, LayerSpec, Matrix, Weights

if TYPE_CHECKING:
    from reference.learning import Learner

CHUNK = 256  # positions whose values are summed in integers
WEIGHT_MOST = f32(32767)


class Product:
    """What a matrix does to quantized rows."""

    def __init__(self, matrix: Matrix) -> None:
        self.scale, self.minimum = matrix.scale, matrix.minimum
        # Products of a block are integers below 2^24: exact in single precision, in whatever order they are added up.
        self.q = np.ascontiguousarray(matrix.q.astype(np.float32).transpose(1, 0, 2))

    def __call__(self, rows: Quantized) -> F:
        """[rows][outputs]"""
        dots = np.matmul(self.q, rows.q.astype(np.float32).transpose(1, 2, 0))
        accumulator = np.zeros(dots.shape[1:], np.float32)
        for b, dot in enumerate(dots):
            accumulator = fma(self.scale[:, b, None] * rows.scale[None, :, b], dot, accumulator)
            if self.minimum is not None:
                accumulator = fma(self.minimum[:, b, None], rows.scaled_sum[None, :, b], accumulator)
        return accumulator.T


@dataclass
class Window:
    """What the queries of a layer see."""

    size: int
    keeps_first: bool  # position 0 is seen however far away

    def begin(self, n: int) -> int:
        """The first position besides 0 that position n attends to."""
        return max(1, n + 2 - self.size - (not self.keeps_first))

    def sees_first(self, n: int) -> bool:
        return self.keeps_first or n < self.size


def window_of(layer: LayerSpec, size: int) -> Window:
    if layer.local_window == 0 or layer.local_window >= size:
        return Window(size, True)
    return Window(layer.local_window, False)


class Cache:
    """Keys and values of a lane in one layer, by position."""

    def __init__(self, kv_heads: int, head_dim: int) -> None:
        self.length = 0
        self.key = np.zeros((CHUNK, kv_heads, head_dim // 32, 32), np.float32)
        self.key_scale = np.zeros((CHUNK, kv_heads, head_dim // 32), np.float32)
        self.value = np.zeros((CHUNK, kv_heads, head_dim), np.float32)
        self.value_scale = np.zeros((CHUNK, kv_heads), np.float32)

    def append(self, key: Quantized, value: Quantized) -> None:
        if self.length == len(self.key):
            for name in ("key", "key_scale", "value", "value_scale"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
        self.key[self.length], self.key_scale[self.length] = key.q, key.scale
        self.value[self.length], self.value_scale[self.length] = value.q[:, 0], value.scale[:, 0]
        self.length += 1

    def copy(self) -> Cache:
        copy = object.__new__(Cache)
        copy.length = self.length
        for name in ("key", "key_scale", "value", "value_scale"):
            setattr(copy, name, getattr(self, name).copy())
        return copy

    def scores(self, query: Quantized, first: int, end: int) -> F:
        """Of positions [first, end), [kv_heads][group][positions]. `query`: [kv_heads][group][blocks][32]."""
        keys = self.key[first:end].transpose(1, 2, 3, 0)
        dots = np.matmul(query.q.astype(np.float32).transpose(0, 2, 1, 3), keys)
        scales = self.key_scale[first:end].transpose(1, 2, 0)
        accumulator = np.zeros((*query.q.shape[:2], end - first), np.float32)
        for b in range(dots.shape[1]):
            accumulator = fma(scales[:, b, None, :] * query.scale[:, :, b, None], dots[:, b], accumulator)
        return accumulator


@dataclass
class LaneState:
    """What a lane has computed: position by position, layer by layer."""

    caches: list[Cache]
    position: int = 0
    learner: Learner | None = None

    def copy(self) -> LaneState:
        return LaneState([cache.copy() for cache in self.caches], self.position)


@dataclass
class Trace:
    """What learning needs of a position in a layer."""

    attention_input: F
    query: F  # scaled, not rotated [heads][head_dim]
    ffn_input: F
    raw_query: F | None = None
    raw_key: F | None = None
    maximum: F = field(default_factory=lambda: np.zeros(0, np.float32))  # of a head's scores [heads]
    inverse: F = field(default_factory=lambda: np.zeros(0, np.float32))  # 1 / sum of exp(score - maximum) [heads]
    attended: F = field(default_factory=lambda: np.zeros(0, np.float32))
    gate: F = field(default_factory=lambda: np.zeros(0, np.float32))
    up: F = field(default_factory=lambda: np.zeros(0, np.float32))
    attention_branch: F | None = None
    ffn_branch: F | None = None


class Transformer:
    """A model with a window. Rows of a batch are tokens of different lanes."""

    def __init__(self, weights: Weights, window: int) -> None:
        self.weights = weights
        self.spec = weights.spec
        self.window = window
        self.rotary = [RotaryTable(rotation) for rotation in self.spec.rotations]
        self.head = Product(weights.head)
        self.products = [{name: Product(m) for name, m in layer.matrices.items()} for layer in weights.layers]
        self.turns = functools.lru_cache(4096)(lambda rotation, position: self.rotary[rotation].at(position, self.spec.head_dim))

    def open_lane(self) -> LaneState:
        return LaneState([Cache(self.spec.kv_heads, self.spec.head_dim) for _ in self.spec.layers])

    def feed(self, lanes: list[LaneState], tokens: list[int]) -> F:
        """The logits after each token, [lanes][rows]. Lanes differ; a lane that learns comes alone."""
        spec = self.spec
        if lanes[0].learner:
            lanes[0].learner.see(lanes[0].position, tokens[0])
        stream = self.weights.embedding.rows(np.array(tokens)).values()
        if spec.embedding_scale != 1:
            stream = stream * spec.embedding_scale
        for number, layer in enumerate(self.weights.layers):
            stream = self.run_layer(number, layer, lanes, stream)
        if lanes[0].learner:
            lanes[0].learner.note_output(lanes[0].position, stream[0])
        logits = self.head(quantize(rms_norm(stream, self.weights.output_norm, spec.epsilon)))
        if spec.logit_scale != 1:
            logits = logits * spec.logit_scale
        if spec.logit_cap != 0:
            logits = cap(logits, spec.logit_cap)
        if lanes[0].learner:
            lanes[0].learner.note_logits(lanes[0].position, logits[0])
        for lane in lanes:
            lane.position += 1
        return logits

    def run_layer(self, number: int, layer: Layer, lanes: list[LaneState], stream: F) -> F:
        spec = self.spec
        learner = lanes[0].learner
        products = learner.products(number) if learner else self.products[number]
        trace = learner.trace(number, lanes[0].position) if learner else None
        if trace:
            trace.attention_input = stream[0]
        rows = quantize(rms_norm(stream, layer.attention_norm, spec.epsilon))
        query, key, value = (products[name](rows) for name in ("query", "key", "value"))
        if layer.query_bias is not None:
            query, key, value = query + layer.query_bias, key + layer.key_bias, value + layer.value_bias
        attended = np.stack([self.attend(number, layer, lane, q, k, v, trace) for lane, q, k, v in zip(lanes, query, key, value)])
        branch = quantize(attended)
        if trace:
            trace.attended = branch.values()[0]
        stream, before = self.add_to_stream(stream, products["output"](branch), layer.output_bias, layer.attention_post_norm)
        if trace:
            trace.attention_branch, trace.ffn_input = before[0], stream[0]
        rows = quantize(rms_norm(stream, layer.ffn_norm, spec.epsilon))
        gate, up = products["gate"](rows), products["up"](rows)
        if trace:
            trace.gate, trace.up = gate[0], up[0]
        product = (gelu if spec.gelu else silu)(gate) * up
        stream, before = self.add_to_stream(stream, products["down"](quantize(product)), None, layer.ffn_post_norm)
        if trace:
            trace.ffn_branch = before[0]
        return stream

    def add_to_stream(self, stream: F, branch: F, bias: F | None, post_norm: F | None) -> tuple[F, F]:
        """The stream with a part's result, and this before its norm."""
        if bias is not None:
            branch = branch + bias
        before = branch
        if post_norm is not None:
            branch = rms_norm(branch, post_norm, self.spec.epsilon)
        if self.spec.residual_scale != 1:
            branch = branch * self.spec.residual_scale
        return stream + branch, before

    def attend(self, number: int, layer: Layer, lane: LaneState, query: F, key: F, value: F, trace: Trace | None) -> F:
        """A row's mean of values, [heads * head_dim]. Its key and value join the lane's."""
        spec, n = self.spec, lane.position
        dim, group = spec.head_dim, spec.heads // spec.kv_heads
        query, key, value = query.reshape(-1, dim), key.reshape(-1, dim), value.reshape(-1, dim)
        if layer.query_norm is not None and layer.key_norm is not None:
            if trace:
                trace.raw_query, trace.raw_key = query, key
            query = rms_norm(query, layer.query_norm, spec.epsilon)
            key = rms_norm(key, layer.key_norm, spec.epsilon)
        query = query * spec.attention_scale
        if trace:
            trace.query = query
        first_query = query  # as it sees position 0
        rotation = spec.layers[number].rotation
        if rotation != NOT_ROTATED:
            first_query = rotate(query, *self.turns(rotation, min(n, self.window - 1)))
            query, key = (rotate(x, *self.turns(rotation, n)) for x in (query, key))
        cache = lane.caches[number]
        cache.append(quantize(key), quantize(value, dim))
        window = window_of(spec.layers[number], self.window)
        attention = Attention(cache, n, window, quantize(query.reshape(-1, group, dim)), quantize(first_query.reshape(-1, group, dim)))
        if trace:
            trace.maximum, trace.inverse = attention.maximum.reshape(-1), attention.inverse.reshape(-1)
        return attention.result.reshape(-1)


class Attention:
    """Of one query of all heads. `result`: [kv_heads][group][head_dim]."""

    def __init__(self, cache: Cache, n: int, window: Window, query: Quantized, first_query: Quantized) -> None:
        begin, end = window.begin(n), n + 1
        scores = cache.scores(query, begin, end) if begin < end else np.zeros((*query.q.shape[:2], 0), np.float32)
        first = cache.scores(first_query, 0, 1)
        if not window.sees_first(n):
            first = np.full_like(first, -np.inf)
        self.maximum = largest(np.concatenate([first, scores], axis=-1))
        # The sum has 16 lanes, position mod 16; position 0 comes first.
        p = exp_or_zero(scores - self.maximum[..., None])
        first_p = exp_or_zero(first[..., 0] - self.maximum)
        sums = np.zeros((*p.shape[:-1], LANES), np.float32)
        sums[..., 0] += first_p
        tile = begin // LANES * LANES
        padding = [(0, 0)] * (p.ndim - 1) + [(begin - tile, -(end - tile) % LANES)]
        tiles = np.pad(p, padding)
        for i in range(0, tiles.shape[-1], LANES):
            sums = sums + tiles[..., i : i + LANES]
        # Position 0's value opens the result; then come chunks of positions, each an integer sum.
        u = first_p * cache.value_scale[0][:, None]
        out = u[..., None] * cache.value[0][:, None, :]
        for start in range(begin // CHUNK * CHUNK, end, CHUNK):
            lo, hi = max(start, begin), min(start + CHUNK, end)
            if lo < hi:
                out = self.add_chunk(out, p[..., lo - begin : hi - begin], cache.value[lo:hi], cache.value_scale[lo:hi])
        self.inverse = f32(1) / tree_add(sums)
        self.result = out * self.inverse[..., None]

    @staticmethod
    def add_chunk(out: F, p: F, values: F, scales: F) -> F:
        u = p * scales.T[:, None, :]
        top = largest(u)
        tiny = ~(top > TINY)
        with np.errstate(divide="ignore", over="ignore"):
            inverse = np.where(tiny, f32(0), WEIGHT_MOST / top)
        weights = round_to_int(maximum(u * inverse[..., None], f32(0)))
        # Sums of integers below 2^31.
        sums = np.matmul(weights.astype(np.float64), values.transpose(1, 0, 2).astype(np.float64))
        return fma(np.where(tiny, f32(0), top / WEIGHT_MOST)[..., None], sums.astype(np.float32), out)
