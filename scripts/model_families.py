"""Small random models of every family that the exact engine knows, for make_test_model.py --family.

Each switches on all that its family can have. Weights are drawn so that each part weighs: scores of attention and
logits spread over several units, what layers add is about as large as the stream, norms' weights differ and epsilon
is no trifle. So whoever computes any of it in another way gets other logits.
"""

import dataclasses

import gguf
import numpy as np
from make_test_model import WORDS, add_tensor, byte_alphabet

OTHER_WORDS = "der die und das nicht что не на это и в si el en los que una 的 是 在 不 我 一 有".split()
SPACE = "\u2581"  # SentencePiece's stand-in for a space
Type = gguf.TokenType
NO_SCORE = -1000.0


@dataclasses.dataclass
class Vocabulary:
    """Tokens as GGUF lists them."""

    model: str
    pre: str = "default"
    start: int = 0
    space_prefix: bool | None = None
    tokens: list[str] = dataclasses.field(default_factory=list)
    types: list[Type] = dataclasses.field(default_factory=list)
    scores: list[float] = dataclasses.field(default_factory=list)
    merges: list[str] = dataclasses.field(default_factory=list)

    def add(self, kind: Type, *tokens: str) -> None:
        known = set(self.tokens)
        for token in tokens:
            if token not in known:
                known.add(token)
                self.tokens.append(token)
                self.types.append(kind)
                rank = self.types.count(Type.NORMAL)
                self.scores.append({Type.NORMAL: -float(rank), Type.BYTE: 0.0}.get(kind, NO_SCORE))


def sentence_piece(control: list[str], added: list[str], start: int, space_prefix: bool) -> Vocabulary:
    vocabulary = Vocabulary("llama", start=start, space_prefix=space_prefix)
    vocabulary.add(Type.CONTROL, *control)
    if "<unk>" in control:
        vocabulary.types[control.index("<unk>")] = Type.UNKNOWN if space_prefix else Type.CONTROL
    vocabulary.add(Type.USER_DEFINED, *added)
    vocabulary.add(Type.BYTE, *(f"<0x{byte:02X}>" for byte in range(256)))
    for word in WORDS + OTHER_WORDS:
        for piece in (word, SPACE + word):  # with all of its beginnings, from which it is put together
            vocabulary.add(Type.NORMAL, *piece, *(piece[:end] for end in range(1, len(piece) + 1)))
    vocabulary.add(Type.NORMAL, *map(chr, range(ord("!"), ord("~") + 1)), *"äöüßéñ¿«»—。，")
    return vocabulary


def byte_pairs(pre: str, control: list[str], added: list[str]) -> Vocabulary:
    vocabulary = Vocabulary("gpt2", pre)
    alphabet = byte_alphabet()
    vocabulary.add(Type.NORMAL, *(alphabet[byte] for byte in range(256)))
    for word in WORDS + OTHER_WORDS + ["  ", "    ", "\n\n", "\t\t"]:
        for spelling in (word, " " + word):
            parts = [alphabet[byte] for byte in spelling.encode()]
            while len(parts) > 1:
                pair, joined = f"{parts[0]} {parts[1]}", parts[0] + parts[1]
                vocabulary.add(Type.NORMAL, joined)
                if pair not in vocabulary.merges:
                    vocabulary.merges.append(pair)
                parts[:2] = [joined]
    vocabulary.start = len(vocabulary.tokens)
    vocabulary.add(Type.CONTROL, *control)
    vocabulary.add(Type.USER_DEFINED, *added)
    return vocabulary


def gemma_vocabulary() -> Vocabulary:
    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    added = ["[multimodal]", *("\n" * n for n in range(1, 32)), *(" " * n for n in range(2, 32)), "<table>", "</table>",
             "<h1>", *("\t" * n for n in range(1, 9)), "<start_of_image>"]
    control += [f"<unused{n}>" for n in range(4)]
    return sentence_piece(control, added, start=2, space_prefix=False)


def qwen_vocabulary() -> Vocabulary:
    return byte_pairs("qwen2", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<tool_call>", "<think>", "</think>"])


@dataclasses.dataclass
class Family:
    """Shape and parts of a family's test model. `keys` are metadata of the family's own."""

    vocabulary: Vocabulary
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    tied: bool
    epsilon: float = 0.05
    rope_base: float = 10000.0
    rope_factors: bool = False
    qkv_biases: bool = False
    output_bias: bool = False
    head_norms: bool = False
    post_norms: bool = False
    embedding: float = 0.5  # deviation of the embedding's elements
    head: float = 0.5  # of the head's, where it is not tied
    output_norm: float = 0.4  # mean weight, so that tokens cost less than the bytes that they spell
    score: float = 0.9  # of queries and of keys
    keys: dict[str, str | int | float] = dataclasses.field(default_factory=dict)


def families() -> dict[str, Family]:
    return {
        "llama": Family(
            sentence_piece(["<unk>", "<s>", "</s>"], [], start=1, space_prefix=True),
            layers=4, width=96, heads=4, kv_heads=2, head_dim=32, feed_forward=160, tied=False,
            rope_factors=True, qkv_biases=True, output_bias=True,
            keys={"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}),
        "qwen2": Family(
            qwen_vocabulary(),
            layers=3, width=128, heads=4, kv_heads=2, head_dim=32, feed_forward=224, tied=False,
            rope_base=1e6, qkv_biases=True),
        "qwen3": Family(
            qwen_vocabulary(),
            layers=3, width=96, heads=6, kv_heads=3, head_dim=32, feed_forward=192, tied=True,
            rope_base=1e6, head_norms=True),
        "gemma3": Family(
            gemma_vocabulary(),
            layers=7, width=96, heads=4, kv_heads=1, head_dim=64, feed_forward=160, tied=True,
            epsilon=0.2, rope_base=2e4, head_norms=True, post_norms=True,
            keys={"attention.sliding_window": 24, "rope.freq_base_swa": 3000.0, "rope.scaling.type": "linear",
                  "rope.scaling.factor": 4.0, "final_logit_softcapping": 3.0}),
        "granite": Family(
            byte_pairs("refact", ["<|end_of_text|>", "<fim_prefix>", "<fim_middle>"], []),
            layers=4, width=96, heads=4, kv_heads=2, head_dim=32, feed_forward=160, tied=True,
            epsilon=0.2, rope_base=5e5, qkv_biases=True, output_bias=True, score=1.5, output_norm=0.8,
            keys={"attention.scale": 0.1, "residual_scale": 0.7, "embedding_scale": 1.5, "logit_scale": 2.0}),
        "smollm3": Family(
            byte_pairs("smaug-bpe", ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"],
                       ["<think>", "</think>"]),
            layers=4, width=96, heads=4, kv_heads=2, head_dim=32, feed_forward=160, tied=True, rope_base=5e6),
    }


class Writer:
    """Writes one family's model. Its matrices are of type `kind`, the rest is F32."""

    def __init__(self, path: str, name: str, kind: str, seed: int) -> None:
        self.family = families()[name]
        self.name = name
        self.kind = kind
        self.random = np.random.RandomState(seed)
        self.writer = gguf.GGUFWriter(path, name)
        self.writer.add_name(f"smll {name} test model {seed}")

    def write(self) -> None:
        self.metadata()
        self.tokens()
        self.weights()
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()

    def metadata(self) -> None:
        family, writer = self.family, self.writer
        writer.add_context_length(2048)
        writer.add_embedding_length(family.width)
        writer.add_block_count(family.layers)
        writer.add_feed_forward_length(family.feed_forward)
        writer.add_head_count(family.heads)
        writer.add_head_count_kv(family.kv_heads)
        writer.add_key_length(family.head_dim)
        writer.add_value_length(family.head_dim)
        writer.add_rope_dimension_count(family.head_dim)
        writer.add_rope_freq_base(family.rope_base)
        writer.add_layer_norm_rms_eps(family.epsilon)
        for key, value in family.keys.items():
            add = {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32}[type(value)]
            add(f"{self.name}.{key}", value)

    def tokens(self) -> None:
        vocabulary, writer = self.family.vocabulary, self.writer
        writer.add_tokenizer_model(vocabulary.model)
        writer.add_tokenizer_pre(vocabulary.pre)
        writer.add_token_list(vocabulary.tokens)
        writer.add_token_types(vocabulary.types)
        if vocabulary.model == "llama":
            writer.add_token_scores(vocabulary.scores)
            writer.add_add_space_prefix(vocabulary.space_prefix)
        else:
            writer.add_token_merges(vocabulary.merges)
        writer.add_bos_token_id(vocabulary.start)
        writer.add_eos_token_id(1 if vocabulary.model == "llama" else vocabulary.start)
        writer.add_add_bos_token(False)

    def uniform(self, *shape: int) -> np.ndarray:
        """Of variance 1."""
        return (self.random.random_sample(shape) * 2 - 1) * np.sqrt(3)

    def vector(self, name: str, size: int, mean: float, deviation: float) -> None:
        add_tensor(self.writer, name, mean + deviation * self.uniform(size), "F32")

    def matrix(self, name: str, rows: int, columns: int, deviation: float) -> None:
        add_tensor(self.writer, name, deviation * self.uniform(rows, columns), self.kind)

    def weights(self) -> None:
        family = self.family
        tokens = len(family.vocabulary.tokens)
        self.matrix("token_embd.weight", tokens, family.width, family.embedding)
        if not family.tied:
            self.matrix("output.weight", tokens, family.width, family.head)
        self.vector("output_norm.weight", family.width, family.output_norm, 0.4 * family.output_norm)
        if family.rope_factors:
            factors = 1 + 3 * self.random.random_sample(family.head_dim // 2)
            add_tensor(self.writer, "rope_freqs.weight", factors, "F32")
        for layer in range(family.layers):
            self.attention(f"blk.{layer}.")
            self.feed_forward(f"blk.{layer}.")

    def attention(self, block: str) -> None:
        family = self.family
        queries, keys = family.heads * family.head_dim, family.kv_heads * family.head_dim
        self.vector(block + "attn_norm.weight", family.width, 1, 0.4)
        self.matrix(block + "attn_q.weight", queries, family.width, family.score / np.sqrt(family.width))
        self.matrix(block + "attn_k.weight", keys, family.width, family.score / np.sqrt(family.width))
        self.matrix(block + "attn_v.weight", keys, family.width, 1 / np.sqrt(family.width))
        self.matrix(block + "attn_output.weight", family.width, queries, 1 / np.sqrt(queries))
        if family.qkv_biases:
            for part, size in (("q", queries), ("k", keys), ("v", keys)):
                self.vector(f"{block}attn_{part}.bias", size, 0, 0.5)
        if family.output_bias:
            self.vector(block + "attn_output.bias", family.width, 0, 0.5)
        if family.head_norms:
            self.vector(block + "attn_q_norm.weight", family.head_dim, family.score, 0.4)
            self.vector(block + "attn_k_norm.weight", family.head_dim, family.score, 0.4)
        if family.post_norms:
            self.vector(block + "post_attention_norm.weight", family.width, 1, 0.4)

    def feed_forward(self, block: str) -> None:
        family = self.family
        self.vector(block + "ffn_norm.weight", family.width, 1, 0.4)
        self.matrix(block + "ffn_gate.weight", family.feed_forward, family.width, 1.5 / np.sqrt(family.width))
        self.matrix(block + "ffn_up.weight", family.feed_forward, family.width, 1 / np.sqrt(family.width))
        self.matrix(block + "ffn_down.weight", family.width, family.feed_forward, 0.35 / np.sqrt(family.feed_forward))
        if family.post_norms:
            self.vector(block + "post_ffw_norm.weight", family.width, 1, 0.4)
