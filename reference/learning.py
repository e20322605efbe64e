"""A model that learns from the text while it is coded: docs/spec/learning.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reference.arithmetic import (
    F, GELU_CUBE, GELU_ONE, LANES, ONE, exp_or_zero, f32, fma, gelu, minimum, quantize, rms_norm, rotate, sigmoid_divisor, silu, tree_add,
)  # fmt: skip
from reference.frequencies import frequencies
from reference.rope import RotaryTable
from reference.transformer import LaneState, Product, Trace, Transformer, Window, window_of
from reference.weights import NOT_ROTATED, Layer, Matrix

if TYPE_CHECKING:
    from reference.transformer import Cache

STEP = 64  # positions from one step to the next
RATE, HASTE, USUAL_SIZE = f32(3e-5), f32(6), f32(0.19)
KEEP, EPSILON = f32(0.99), f32(1e-6)
SHARE = ONE / f32(STEP)
GELU_SLOPE = f32(0.214064449)
STEEPEST = f32(1e30)


def multiply(a: F, b: F, c: F | None = None) -> F:
    """a @ b (+ c) as chains of fused multiply-adds in ascending order of the inner index, one for each result."""
    out = np.zeros((a.shape[0], b.shape[1]), np.float32) if c is None else c
    for p in range(a.shape[1]):
        out = fma(a[:, p, None], b[None, p], out)
    return out


def rms_norm_gradient(x: F, weight: F, gradient: F, epsilon: np.float32, out: F) -> F:
    """`out` and the gradient of a norm's inputs, given that of its outputs; along the last axis."""
    squares = np.zeros((*x.shape[:-1], LANES), np.float32)
    products = np.zeros_like(squares)
    d = weight * gradient
    for i in range(0, x.shape[-1], LANES):
        part = x[..., i : i + LANES]
        squares = fma(part, part, squares)
        products = fma(part, d[..., i : i + LANES], products)
    count = f32(x.shape[-1])
    factor = ONE / np.sqrt(tree_add(squares) / count + epsilon)
    along = factor * factor * (tree_add(products) / count)
    return fma(d - x * along[..., None], factor[..., None], out)


def silu_gradient(gate: F, up: F, gradient: F) -> tuple[F, F]:
    sigmoid = ONE / sigmoid_divisor(gate)
    slope = sigmoid * fma(gate, ONE - sigmoid, ONE)
    return gradient * up * slope, gradient * (gate * sigmoid)


def gelu_gradient(gate: F, up: F, gradient: F) -> tuple[F, F]:
    square = gate * gate
    sigmoid = ONE / sigmoid_divisor(gate * fma(square, GELU_CUBE, GELU_ONE))
    slope = fma(square, GELU_SLOPE, GELU_ONE)
    bend = gate * ((sigmoid * (ONE - sigmoid)) * minimum(slope, STEEPEST))
    return gradient * up * (sigmoid + bend), gradient * (gate * sigmoid)


class LearningMatrix:
    """Weights as floats, [outputs][inputs], and as the model uses them."""

    def __init__(self, matrix: Matrix, by_size: bool) -> None:
        self.values = matrix.values()
        self.squares = np.zeros_like(self.values)
        self.rate = root_mean_square(self.values) / USUAL_SIZE if by_size else ONE
        self.product: Product

    def step(self, gradient: F, inputs: F, rate: np.float32, correction: np.float32) -> None:
        """One of RMSProp, given the gradient of the outputs and the inputs, [STEP] rows each."""
        g = multiply(np.ascontiguousarray(gradient.T), inputs)
        self.squares = fma(g * g, ONE - KEEP, self.squares * KEEP)
        size = np.sqrt(self.squares * correction) + EPSILON
        self.values = self.values - (g * (rate * self.rate)) / size
        quantized = quantize(self.values)
        self.product = Product(Matrix(quantized.q.astype(np.int8), quantized.scale))


def root_mean_square(values: F) -> np.float32:
    """In doubles, output by output, in their order."""
    sums = np.zeros(len(values))
    for column in values.T.astype(np.float64):
        sums = sums + column * column
    total = 0.0
    for of_output in sums:
        total += float(of_output)
    return f32(np.sqrt(total / values.size))


class LearningLayer:
    def __init__(self, layer: Layer) -> None:
        self.original = layer
        self.traces: list[Trace] = []
        self.matrices: dict[str, LearningMatrix] = {}  # from the first step on

    def start(self, by_size: bool) -> None:
        if not self.matrices:
            self.matrices = {name: LearningMatrix(m, by_size) for name, m in self.original.matrices.items()}

    def rows(self, name: str) -> F:
        """Of the step's positions."""
        return np.stack([getattr(trace, name) for trace in self.traces])


class Learner:
    """Of one lane. `state` may hold positions that another computed: an opening's."""

    def __init__(self, transformer: Transformer, state: LaneState) -> None:
        self.transformer, self.state = transformer, state
        self.spec = transformer.spec
        self.begin = state.position
        self.first_layer = len(self.spec.layers) // 2
        self.layers = [LearningLayer(layer) for layer in transformer.weights.layers[self.first_layer :]]
        self.steps = 0
        self.power = ONE  # KEEP to the number of steps
        self.targets = [-1] * STEP
        self.output = np.zeros((STEP, self.spec.width), np.float32)
        self.logits: list[F] = [np.zeros(0, np.float32)] * STEP
        self.by_size = self.spec.architecture != "llama"

    # What the model computes.

    def products(self, layer: int) -> dict[str, Product]:
        if layer >= self.first_layer and self.layers[layer - self.first_layer].matrices:
            return {name: m.product for name, m in self.layers[layer - self.first_layer].matrices.items()}
        return self.transformer.products[layer]

    def trace(self, layer: int, position: int) -> Trace | None:
        if layer < self.first_layer:
            return None
        traces = self.layers[layer - self.first_layer].traces
        nothing = np.zeros(0, np.float32)
        traces.append(Trace(nothing, nothing, nothing))
        return traces[-1]

    def note_output(self, position: int, stream: F) -> None:
        self.output[position % STEP] = stream

    def note_logits(self, position: int, logits: F) -> None:
        self.logits[position % STEP] = logits

    def see(self, position: int, token: int) -> None:
        """Each token before it is computed."""
        if position <= self.begin:
            return
        self.targets[(position - 1) % STEP] = self.transformer.weights.row_of_token.get(token, -1)
        if position % STEP:
            return
        if position >= self.begin + STEP:
            self.learn(position - STEP)
        for layer in self.layers:
            layer.traces = []

    # A step.

    def learn(self, first: int) -> None:
        self.steps += 1
        self.power = self.power * KEEP
        self.rate = RATE * (ONE + HASTE / np.sqrt(f32(self.steps)))
        self.correction = ONE / (ONE - self.power)
        weights, spec = self.transformer.weights, self.spec
        gradients = np.stack([self.logit_gradient(t) for t in range(STEP)])
        normed = multiply(gradients, weights.head.values())
        stream = rms_norm_gradient(self.output, weights.output_norm, normed, spec.epsilon, np.zeros_like(self.output))
        for i in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[i]
            layer.start(self.by_size)
            stream = self.learn_ffn(layer, stream)
            stream = self.learn_attention(layer, self.first_layer + i, first, stream)

    def logit_gradient(self, t: int) -> F:
        """(probability - 1 where it is the target) / STEP"""
        logits = self.logits[t]
        counts = frequencies(logits)
        gradient = counts.astype(np.float32) * (SHARE / f32(counts.sum()))
        if self.targets[t] >= 0:
            gradient[self.targets[t]] -= SHARE
        cap = self.spec.logit_cap
        bend = logits / cap if cap != 0 else np.zeros_like(logits)
        gradient = gradient * (ONE - bend * bend)
        return gradient * self.spec.logit_scale if self.spec.logit_scale != 1 else gradient

    def branch_gradient(self, stream: F, branch: F | None, post_norm: F | None) -> F:
        """Of a part's product, which is normed and scaled as it is added to the stream."""
        if self.spec.residual_scale != 1:
            stream = stream * self.spec.residual_scale
        if post_norm is None:
            return stream
        assert branch is not None
        return rms_norm_gradient(branch, post_norm, stream, self.spec.epsilon, np.zeros_like(stream))

    def learn_ffn(self, layer: LearningLayer, stream: F) -> F:
        gate, up, x = layer.rows("gate"), layer.rows("up"), layer.rows("ffn_input")
        original, m = layer.original, layer.matrices
        normed = rms_norm(x, original.ffn_norm, self.spec.epsilon)
        product = (gelu if self.spec.gelu else silu)(gate) * up
        gradient = self.branch_gradient(stream, layer.rows("ffn_branch"), original.ffn_post_norm)
        of_product = multiply(gradient, m["down"].values)
        self.step(m["down"], gradient, product)
        of_gate, of_up = (gelu_gradient if self.spec.gelu else silu_gradient)(gate, up, of_product)
        of_normed = multiply(of_up, m["up"].values, multiply(of_gate, m["gate"].values))
        self.step(m["gate"], of_gate, normed)
        self.step(m["up"], of_up, normed)
        return rms_norm_gradient(x, original.ffn_norm, of_normed, self.spec.epsilon, stream)

    def learn_attention(self, layer: LearningLayer, number: int, first: int, stream: F) -> F:
        original, m, x = layer.original, layer.matrices, layer.rows("attention_input")
        normed = rms_norm(x, original.attention_norm, self.spec.epsilon)
        gradient = self.branch_gradient(stream, layer.rows("attention_branch"), original.attention_post_norm)
        of_attended = multiply(gradient, m["output"].values)
        self.step(m["output"], gradient, layer.rows("attended"))
        query, key, value = self.attention_gradients(layer, number, first, of_attended)
        of_normed = multiply(query, m["query"].values)
        of_normed = multiply(key, m["key"].values, of_normed)
        of_normed = multiply(value, m["value"].values, of_normed)
        self.step(m["query"], query, normed)
        self.step(m["key"], key, normed)
        self.step(m["value"], value, normed)
        return rms_norm_gradient(x, original.attention_norm, of_normed, self.spec.epsilon, stream)

    def step(self, matrix: LearningMatrix, gradient: F, inputs: F) -> None:
        matrix.step(gradient, inputs, self.rate, self.correction)

    def attention_gradients(self, layer: LearningLayer, number: int, first: int, of_attended: F) -> tuple[F, F, F]:
        """Of queries, keys and values before norms, scales and rotations, [STEP][heads * head_dim]."""
        spec = self.spec
        dim, group = spec.head_dim, spec.heads // spec.kv_heads
        rotation = spec.layers[number].rotation
        table = RotaryTable(None) if rotation == NOT_ROTATED else self.transformer.rotary[rotation]
        here = turns(table, first, first + STEP, dim)
        from_first = turns(table, first, self.transformer.window - 1, dim)
        window = window_of(spec.layers[number], self.transformer.window)
        queries, attended = layer.rows("query"), layer.rows("attended").reshape(STEP, -1, dim)
        of_attended = of_attended.reshape(STEP, -1, dim)
        heads = [
            HeadGradient(
                self.state.caches[number], head // group, first, window, here, from_first, queries[:, head], attended[:, head],
                of_attended[:, head], layer.rows("maximum")[:, head], layer.rows("inverse")[:, head], spec.attention_scale,
            )
            for head in range(spec.heads)
        ]  # fmt: skip
        query = np.stack([h.query for h in heads], axis=1)
        # A key's is the sum over the heads that share it.
        key, value = ([add_up([getattr(h, name) for h in heads[i : i + group]]) for i in range(0, spec.heads, group)] for name in ("key", "value"))
        keys, values = np.stack(key, axis=1), np.stack(value, axis=1)
        query_norm, key_norm = layer.original.query_norm, layer.original.key_norm
        if query_norm is not None and key_norm is not None:
            query = rms_norm_gradient(layer.rows("raw_query"), query_norm, query, spec.epsilon, np.zeros_like(query))
            keys = rms_norm_gradient(layer.rows("raw_key"), key_norm, keys, spec.epsilon, np.zeros_like(keys))
        return query.reshape(STEP, -1), keys.reshape(STEP, -1), values.reshape(STEP, -1)


def add_up(parts: list[F]) -> F:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


Turns = tuple[F, F]


def turns(table: RotaryTable, first: int, farthest: int, dim: int) -> Turns:
    """cos and sin of the step's positions, none farther than `farthest`."""
    both = [table.at(min(first + t, farthest), dim) for t in range(STEP)]
    return np.stack([cos for cos, _ in both]), np.stack([sin for _, sin in both])


class HeadGradient:
    """The gradient of one head's attention for a step's queries. Keys and values before the step are constants, and so are position 0's."""

    def __init__(
        self, cache: Cache, kv_head: int, first: int, window: Window, here: Turns, from_first: Turns, query: F, attended: F, gradient: F,
        maximum: F, inverse: F, scale: np.float32,
    ) -> None:  # fmt: skip
        self.gradient, self.maximum, self.inverse = gradient, maximum, inverse
        self.along = np.zeros(STEP, np.float32)
        for i in range(query.shape[1]):
            self.along = self.along + gradient[:, i] * attended[:, i]
        # Position 0, as it is seen from a distance of at most the window.
        query_at_first = rotate(query, *from_first)
        keys, values = read(cache, kv_head, 0, 1)
        seen = np.array([[window.sees_first(first + t)] for t in range(STEP)])
        _, slopes = self.differentiate(query_at_first, keys, values, seen)
        of_first = multiply(slopes, keys)
        # The other positions, in blocks.
        query_here = rotate(query, *here)
        of_here = np.zeros_like(query)
        for block in range(window.begin(first) // STEP, first // STEP + 1):
            keys, values = read(cache, kv_head, block * STEP, STEP)
            positions = np.arange(block * STEP, block * STEP + STEP)
            seen = np.array([(positions >= window.begin(first + t)) & (positions <= first + t) for t in range(STEP)])
            weights, slopes = self.differentiate(query_here, keys, values, seen)
            of_here = multiply(slopes, keys, of_here)
        # `weights` and `slopes` are those of the step's own positions now.
        self.value = multiply(np.ascontiguousarray(weights.T), gradient)
        key = multiply(np.ascontiguousarray(slopes.T), query_here)
        self.key = rotate(key, here[0], -here[1])
        self.query = (rotate(of_here, here[0], -here[1]) + rotate(of_first, from_first[0], -from_first[1])) * scale

    def differentiate(self, query: F, keys: F, values: F, seen: np.ndarray) -> tuple[F, F]:
        """The softmax's weights, and the gradient of the scores."""
        scores = np.where(seen, multiply(query, np.ascontiguousarray(keys.T)), f32(-np.inf))
        slopes = multiply(self.gradient, np.ascontiguousarray(values.T))
        below = minimum(scores - self.maximum[:, None], f32(0))
        weights = exp_or_zero(below) * self.inverse[:, None]
        return weights, weights * (slopes - self.along[:, None])


def read(cache: Cache, kv_head: int, first: int, count: int) -> tuple[F, F]:
    """Keys and values as floats, [count][head_dim]."""
    at = slice(first, first + count)
    keys = cache.key[at, kv_head] * cache.key_scale[at, kv_head, :, None]
    return keys.reshape(count, -1), cache.value[at, kv_head] * cache.value_scale[at, kv_head, None]
