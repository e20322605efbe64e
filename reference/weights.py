"""A model's numbers: its specification, and its weights in the two forms that are computed with. docs/spec/model.md."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import xxhash

from reference.arithmetic import F, f32, round_to_int
from reference.gguf import Gguf, Tensor
from reference.varint import u64

TILE = 16  # rows that are hashed together
NOT_ROTATED = -1


@dataclass(frozen=True)
class Rotation:
    """A rotary position embedding. `factors`: divisors of the frequencies, or empty."""

    dims: int
    base: float
    scale: float
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class LayerSpec:
    rotation: int = 0  # index in Spec.rotations, or NOT_ROTATED
    local_window: int = 0  # 0: the engine's


@dataclass(frozen=True)
class Spec:
    architecture: str
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    vocabulary: int
    epsilon: np.float32
    halves: bool  # dimension i turns with i + dims / 2, not with its neighbour
    gelu: bool
    head_norms: bool
    post_norms: bool
    rotations: tuple[Rotation, ...]
    layers: tuple[LayerSpec, ...]
    attention_scale: np.float32
    embedding_scale: np.float32 = f32(1)
    residual_scale: np.float32 = f32(1)
    logit_scale: np.float32 = f32(1)
    logit_cap: np.float32 = f32(0)


@dataclass(frozen=True)
class Family:
    halves: bool = False
    gelu: bool = False
    head_norms: bool = False
    post_norms: bool = False


FAMILIES = {
    "llama": Family(),
    "qwen2": Family(halves=True),
    "qwen3": Family(halves=True, head_norms=True),
    "gemma3": Family(halves=True, gelu=True, head_norms=True, post_norms=True),
    "granite": Family(),
    "smollm3": Family(),
}
LARGEST_GEMMA3 = 62  # layers of the one whose scores have another scale
GEMMA3_PERIOD = 6  # every so manieth layer sees the whole window
SMOLLM3_PERIOD = 4  # every so manieth layer is not rotated


def read_spec(file: Gguf) -> Spec:
    family = file.metadata["general.architecture"]
    kind = FAMILIES[family]

    def get(key: str, default: object = None) -> object:
        return file.metadata.get(f"{family}.{key}", default)

    def integer(key: str, default: int | None = None) -> int:
        return int(get(key, default))  # type: ignore[call-overload]

    def number(key: str, default: float) -> float:
        return float(get(key, default))  # type: ignore[arg-type]

    width, heads = integer("embedding_length"), integer("attention.head_count")
    head_dim = integer("attention.key_length", width // heads)
    scaling = number("rope.scaling.factor", number("rope.scale_linear", 1.0))
    rotation = Rotation(
        dims=integer("rope.dimension_count", head_dim),
        base=number("rope.freq_base", 10000.0),
        scale=1.0 / scaling if get("rope.scaling.type", "linear") == "linear" else 1.0,
        factors=tuple(float(f) for f in vector(file, "rope_freqs.weight")) if "rope_freqs.weight" in file.tensors else (),
    )
    layers = [LayerSpec()] * integer("block_count")
    spec = Spec(
        architecture=family, width=width, heads=heads, kv_heads=integer("attention.head_count_kv", heads), head_dim=head_dim,
        ffn_width=integer("feed_forward_length"), vocabulary=file.tensors["token_embd.weight"].rows,
        epsilon=f32(number("attention.layer_norm_rms_epsilon", 1e-5)), halves=kind.halves, gelu=kind.gelu,
        head_norms=kind.head_norms, post_norms=kind.post_norms, rotations=(rotation,), layers=tuple(layers),
        attention_scale=f32(1) / np.sqrt(f32(head_dim)),
    )  # fmt: skip
    if family == "granite":
        if get("rope.scaling.finetuned", True) is False:
            layers = [LayerSpec(NOT_ROTATED)] * len(layers)
        return replace(
            spec,
            embedding_scale=f32(number("embedding_scale", 1)),
            residual_scale=f32(number("residual_scale", 1)),
            attention_scale=f32(number("attention.scale", float(spec.attention_scale))),
            logit_scale=f32(1) / f32(number("logit_scale", 1)),
            layers=tuple(layers),
        )
    if family == "smollm3":
        layers[3::SMOLLM3_PERIOD] = [LayerSpec(NOT_ROTATED)] * len(layers[3::SMOLLM3_PERIOD])
        return replace(spec, layers=tuple(layers))
    if family == "gemma3":
        return read_gemma3(spec, get)
    return spec


def read_gemma3(spec: Spec, get) -> Spec:  # type: ignore[no-untyped-def]
    layers, rotations = list(spec.layers), list(spec.rotations)
    window = int(get("attention.sliding_window", 0))
    if window:
        pattern = get("attention.sliding_window_pattern", GEMMA3_PERIOD)
        rotations.append(replace(rotations[0], base=float(get("rope.freq_base_swa", 10000.0)), scale=1.0))
        for i in range(len(layers)):
            local = pattern[i] if isinstance(pattern, list) else i % pattern < pattern - 1
            if local:
                layers[i] = LayerSpec(1, window)
    return replace(
        spec,
        embedding_scale=np.sqrt(f32(spec.width)),
        attention_scale=f32(1) / np.sqrt(f32(spec.width // spec.heads)) if len(layers) == LARGEST_GEMMA3 else spec.attention_scale,
        logit_cap=f32(get("final_logit_softcapping", 0.0)),
        rotations=tuple(rotations),
        layers=tuple(layers),
    )


# ---- Tensors.


@dataclass
class Matrix:
    """[outputs][blocks][32] weights. U4: value = d * q + m with halves d and m. S8: value = scale * q."""

    q: np.ndarray  # uint8 or int8
    scale: F  # [outputs][blocks]: d or the scale
    minimum: F | None = None  # [outputs][blocks]; None: S8

    def values(self) -> F:
        """Floats [outputs][inputs]."""
        products = self.scale[..., None] * self.q.astype(np.float32)
        values = products if self.minimum is None else products + self.minimum[..., None]
        return values.reshape(len(values), -1)

    def block_bytes(self) -> np.ndarray:
        """The bytes of each block as the fingerprint sees them, [outputs][blocks][20 or 36]."""
        if self.minimum is None:
            return np.concatenate([self.q.view(np.uint8), as_bytes(self.scale.astype("<f4"))], axis=-1)
        nibbles = self.q[..., :16] | self.q[..., 16:] << 4
        return np.concatenate([nibbles, as_bytes(self.scale.astype("<f2")), as_bytes(self.minimum.astype("<f2"))], axis=-1)

    def hashes(self) -> list[int]:
        """Of each 16 rows' blocks; missing rows are zeros."""
        rows = self.block_bytes()
        missing = -len(rows) % TILE
        rows = np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), np.uint8)])
        return [xxhash.xxh3_64_intdigest(rows[i : i + TILE].tobytes()) for i in range(0, len(rows), TILE)]

    def rows(self, order: np.ndarray) -> Matrix:
        return Matrix(self.q[order], self.scale[order], None if self.minimum is None else self.minimum[order])


def as_bytes(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x)[..., None].view(np.uint8)


def halves_at(p: np.ndarray, at: int) -> F:
    return np.ascontiguousarray(p[..., at : at + 2]).view("<f2").astype(np.float32)


def nibbles(p: np.ndarray) -> np.ndarray:
    """16 bytes are 32 values: first all low halves, then all high ones."""
    return np.concatenate([p & 15, p >> 4], axis=-1)


def fifth_bits(p: np.ndarray) -> np.ndarray:
    """The bits of 4 bytes, each as 16."""
    return np.unpackbits(p, axis=-1, bitorder="little") << 4


def q5(p: np.ndarray, at: int) -> np.ndarray:
    """32 values of 5 bits: their highest bits at `at`, the others behind."""
    return nibbles(p[..., at + 4 :]) | fifth_bits(p[..., at : at + 4])


def scale_and_minimum(p: np.ndarray) -> tuple[F, F]:
    """The 8 scales and minimums of 6 bits in 12 bytes of Q4_K and Q5_K."""
    low, middle, high = p[..., :4], p[..., 4:8], p[..., 8:12]
    scales = np.concatenate([low & 63, high & 15 | (low >> 6) << 4], axis=-1)
    minimums = np.concatenate([middle & 63, high >> 4 | (middle >> 6) << 4], axis=-1)
    return scales.astype(np.float32), minimums.astype(np.float32)


def decode_k45(p: np.ndarray, five: bool) -> F:
    quants = p[..., 48:] if five else p[..., 16:]
    pairs = quants.reshape(*p.shape[:-1], 4, 32)
    q = np.stack([pairs & 15, pairs >> 4], axis=-2).reshape(*p.shape[:-1], 8, 32)
    if five:
        q = q | np.stack([(p[..., 16:48] >> j & 1) << 4 for j in range(8)], axis=-2)
    scale, minimum = scale_and_minimum(p[..., 4:16])
    d, dmin = halves_at(p, 0), halves_at(p, 2)
    return (d * scale)[..., None] * q.astype(np.float32) - (dmin * minimum)[..., None]


def twos(p: np.ndarray) -> np.ndarray:
    """64 bytes are 256 values of 2 bits: of each 32 bytes first all lowest, and so on."""
    halves = p.reshape(*p.shape[:-1], 2, 1, 32)
    return (halves >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3).reshape(*p.shape[:-1], 16, 16)


def decode_q2_k(p: np.ndarray) -> F:
    scales, q = p[..., :16], twos(p[..., 16:80]).astype(np.float32)
    d, dmin = halves_at(p, 80), halves_at(p, 82)
    return (d * (scales & 15).astype(np.float32))[..., None] * q - (dmin * (scales >> 4).astype(np.float32))[..., None]


def decode_q3_k(p: np.ndarray) -> F:
    packed = p[..., 96:108]
    low = np.concatenate([packed[..., :8] & 15, packed[..., :8] >> 4], axis=-1)
    high = np.concatenate([packed[..., 8:] >> 2 * i & 3 for i in range(4)], axis=-1)
    scale = (low | high << 4).astype(np.float32) - f32(32)
    bits = np.stack([p[..., :32] >> i & 1 for i in range(8)], axis=-2).reshape(*p.shape[:-1], 16, 16)
    q = twos(p[..., 32:96]).astype(np.float32) - np.where(bits, f32(0), f32(4))
    return (halves_at(p, 108) * scale)[..., None] * q


def decode_q6_k(p: np.ndarray) -> F:
    low = p[..., :128].reshape(*p.shape[:-1], 2, 2, 32)
    low = np.concatenate([low & 15, low >> 4], axis=-2)
    high = p[..., 128:192].reshape(*p.shape[:-1], 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    q = (low | high << 4).astype(np.float32).reshape(*p.shape[:-1], 16, 16) - f32(32)
    scale = p[..., 192:208].view(np.int8).astype(np.float32)
    return (halves_at(p, 208) * scale)[..., None] * q


def decode(tensor: Tensor) -> F:
    """[rows][blocks of 32][32] floats, by the type's own formula; products and sums are rounded each."""
    p, kind = tensor.blocks, tensor.type
    if kind == "F32":
        values = np.ascontiguousarray(p).view("<f4")
    elif kind == "F16":
        values = np.ascontiguousarray(p).view("<f2").astype(np.float32)
    elif kind == "BF16":
        values = (np.ascontiguousarray(p).view("<u2").astype(np.uint32) << 16).view(np.float32)
    elif kind == "Q5_1":
        values = halves_at(p, 0) * q5(p, 4).astype(np.float32) + halves_at(p, 2)
    elif kind == "Q8_0":
        values = halves_at(p, 0) * p[..., 2:].view(np.int8).astype(np.float32)
    else:
        formulas = {"Q2_K": decode_q2_k, "Q3_K": decode_q3_k, "Q6_K": decode_q6_k}
        values = formulas[kind](p) if kind in formulas else decode_k45(p, kind == "Q5_K")
    return values.reshape(tensor.rows, -1, 32)


def requantize(values: F) -> Matrix:
    """Blocks of 32 as the nearest multiples of the largest one's size / 127."""
    amax = np.abs(values).max(axis=-1)
    tiny = ~(amax > f32(1e-30))
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(tiny, f32(0), f32(127) / amax)
    q = round_to_int(values * inverse[..., None]).astype(np.int8)
    return Matrix(q, np.where(tiny, f32(0), amax / f32(127)))


def read_matrix(tensor: Tensor) -> Matrix:
    p = tensor.blocks
    if tensor.type == "Q4_1":
        return Matrix(nibbles(p[..., 4:]), halves_at(p, 0)[..., 0], halves_at(p, 2)[..., 0])
    if tensor.type == "Q4_0":
        d = halves_at(p, 0)[..., 0]
        return Matrix(nibbles(p[..., 2:]), d, f32(-8) * d)
    if tensor.type == "Q5_0":
        return Matrix((q5(p, 2).astype(np.int8) - 16).astype(np.int8), halves_at(p, 0)[..., 0])
    if tensor.type != "Q8_0":
        return requantize(decode(tensor))
    matrix = Matrix(p[..., 2:].view(np.int8), halves_at(p, 0)[..., 0])
    lowest = matrix.q.min(axis=-1) == -128  # no product may have it
    if lowest.any():
        again = requantize(decode(tensor))
        matrix = Matrix(np.where(lowest[..., None], again.q, matrix.q), np.where(lowest, again.scale, matrix.scale))
    return matrix


def vector(file: Gguf, name: str) -> F:
    return np.ascontiguousarray(file.tensors[name].blocks).view("<f4").reshape(-1)


# ---- The model.

MATRICES = ["query", "key", "value", "output", "gate", "up", "down"]
MATRIX_TENSORS = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]


@dataclass
class Layer:
    """Vectors that the family lacks are None."""

    matrices: dict[str, Matrix]
    attention_norm: F
    ffn_norm: F
    query_norm: F | None = None
    key_norm: F | None = None
    attention_post_norm: F | None = None
    ffn_post_norm: F | None = None
    query_bias: F | None = None
    key_bias: F | None = None
    value_bias: F | None = None
    output_bias: F | None = None


@dataclass
class Weights:
    spec: Spec
    layers: list[Layer]
    embedding: Matrix  # a row for each token
    head: Matrix  # a row for each row of the vocabulary
    output_norm: F
    fingerprint: int
    row_of_token: dict[int, int] = field(default_factory=dict)


class Loader:
    """Reads what the specification needs of a file, and hashes all of it."""

    def __init__(self, file: Gguf, tokens: list[int], start_token: int) -> None:
        self.file = file
        self.spec = spec = read_spec(file)
        self.hashes: list[int] = []
        output_norm = self.vector("output_norm.weight")
        if spec.rotations[0].factors:
            self.vector("rope_freqs.weight")
        layers = [self.read_vectors(f"blk.{i}.") for i in range(len(spec.layers))]
        embedding = self.read_hashed("token_embd.weight")
        head = self.read_hashed("output.weight") if "output.weight" in file.tensors else embedding
        self.hash_spec(start_token)
        fingerprint = xxhash.xxh3_64_intdigest(u64(*self.hashes))
        rows = np.array(tokens)
        self.weights = Weights(
            spec, layers, embedding, head.rows(rows), output_norm, fingerprint, {token: row for row, token in enumerate(tokens)}
        )

    def vector(self, name: str) -> F:
        values = vector(self.file, name)
        self.hashes.append(xxhash.xxh3_64_intdigest(values.tobytes()))
        return values

    def order(self, rows: int) -> np.ndarray:
        """Rows of queries and keys, head by head, so that dimensions which turn together are neighbours."""
        order, dim, half = np.arange(rows), self.spec.head_dim, self.spec.rotations[0].dims // 2
        if not self.spec.halves:
            return order
        d = order % dim
        return np.where(d < 2 * half, order - d + d // 2 + d % 2 * half, order)

    def head_vector(self, name: str) -> F:
        values = self.vector(name)
        return values[self.order(len(values))]

    def read_hashed(self, name: str, ordered: bool = False) -> Matrix:
        matrix = read_matrix(self.file.tensors[name])
        if ordered:
            matrix = matrix.rows(self.order(len(matrix.q)))
        self.hashes += matrix.hashes()
        return matrix

    def read_vectors(self, prefix: str) -> Layer:
        """A layer, in the order in which its parts are hashed."""
        spec, has = self.spec, self.file.tensors
        layer = Layer({}, self.vector(prefix + "attn_norm.weight"), self.vector(prefix + "ffn_norm.weight"))
        if spec.head_norms:
            layer.query_norm = self.head_vector(prefix + "attn_q_norm.weight")
            layer.key_norm = self.head_vector(prefix + "attn_k_norm.weight")
        if spec.post_norms:
            layer.attention_post_norm = self.vector(prefix + "post_attention_norm.weight")
            layer.ffn_post_norm = self.vector(prefix + "post_ffw_norm.weight")
        if prefix + "attn_q.bias" in has:
            layer.query_bias = self.head_vector(prefix + "attn_q.bias")
            layer.key_bias = self.head_vector(prefix + "attn_k.bias")
            layer.value_bias = self.vector(prefix + "attn_v.bias")
        if prefix + "attn_output.bias" in has:
            layer.output_bias = self.vector(prefix + "attn_output.bias")
        for name, tensor in zip(MATRICES, MATRIX_TENSORS):
            layer.matrices[name] = self.read_hashed(f"{prefix}{tensor}.weight", name in ("query", "key"))
        return layer

    def hash_spec(self, start_token: int) -> None:
        spec, rotation = self.spec, self.spec.rotations[0]

        def bits(x: float | np.float32) -> int:
            return int(np.asarray(x).view(np.uint32 if isinstance(x, np.float32) else np.uint64))

        self.hashes += [len(spec.layers), spec.width, spec.heads, spec.kv_heads, spec.head_dim, spec.ffn_width, spec.vocabulary, rotation.dims]
        self.hashes += [bits(spec.epsilon), bits(rotation.base), bits(rotation.scale), start_token]
        if spec.architecture == "llama":
            return
        self.hashes.append(xxhash.xxh3_64_intdigest(spec.architecture.encode()))
        scales = (spec.embedding_scale, spec.attention_scale, spec.residual_scale, spec.logit_scale, spec.logit_cap)
        self.hashes += [bits(np.float32(x)) for x in scales]
        self.hashes.append(bits(spec.rotations[-1].base))
        for layer in spec.layers:
            self.hashes += [layer.rotation & 0xFFFFFFFF, layer.local_window]


def load(file: Gguf, tokens: list[int], start_token: int) -> Weights:
    return Loader(file, tokens, start_token).weights

