"""The tokens that stand for text, sorted by their bytes: docs/spec/vocabulary.md."""

from __future__ import annotations

import functools
from bisect import bisect_left

import numpy as np
import xxhash

from reference.gguf import Gguf

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # GGUF's token types
ADDED_FIRST = {USER_DEFINED: 0, NORMAL: 1, BYTE: 2}  # of tokens that spell the same, which one is kept
# Tokens that never stand for text, whatever type the file gives them.
ALWAYS_CONTROL = set(
    """<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <|endoftext|> </s> <|eom_id|> <EOT> _<EOT> [EOT]
    [EOS] <|end_of_text|> <end_of_utterance> <eos> <turn|> <|tool_response> <｜end▁of▁sentence｜> [e~[
    <|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|>
    <|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|>
    <|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>
    <|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD] <|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame> <|file_sep|>""".split()
)
# Tokens that are always taken for user-defined ones.
ALWAYS_ADDED = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}
SPACE = "\u2581"  # SentencePiece's stand-in for a space


@functools.cache
def byte_alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level token stands for (Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


def spelling(text: str, kind: int, byte_level: bool) -> bytes:
    """What a token spells."""
    raw = text.encode("utf-8", "surrogateescape")
    if kind == USER_DEFINED:
        return raw
    if kind == BYTE:
        return bytes([int(text[3:5], 16)])
    if byte_level:
        return bytes(byte_alphabet()[c] for c in text)
    return text.replace(SPACE, " ").encode("utf-8", "surrogateescape")


Spelling = bytes


def token_kinds(file: Gguf) -> list[int]:
    """Of each token: what the file says, but for some names."""
    texts: list[str] = file.metadata["tokenizer.ggml.tokens"]
    kinds: list[int] = file.metadata.get("tokenizer.ggml.token_type", [NORMAL] * len(texts))
    return [USER_DEFINED if text in ALWAYS_ADDED else CONTROL if text in ALWAYS_CONTROL else kind for text, kind in zip(texts, kinds)]


class Vocabulary:
    def __init__(self, file: Gguf) -> None:
        data = file.metadata
        texts: list[str] = data["tokenizer.ggml.tokens"]
        kinds = token_kinds(file)
        self.model: str = data["tokenizer.ggml.model"]
        byte_level = self.model == "gpt2"
        entries = []
        for token, (text, kind) in enumerate(zip(texts, kinds)):
            if kind in ADDED_FIRST:
                spelled = spelling(text, kind, byte_level)
                if spelled:
                    entries.append((spelled, ADDED_FIRST[kind], token))
        entries.sort()
        self.tokens: list[int] = []  # of each row
        self.spelled: list[bytes] = []
        self.row_of: dict[int, int] = {}  # also of tokens that are not kept: the one that spells the same
        for spelled, _, token in entries:
            if not self.spelled or self.spelled[-1] != spelled:
                self.spelled.append(spelled)
                self.tokens.append(token)
            self.row_of[token] = len(self.spelled) - 1
        self.start = int(data.get("tokenizer.ggml.bos_token_id", 11 if byte_level else 1))
        self.hash = self.compute_hash()

    def __len__(self) -> int:
        return len(self.spelled)

    def bytes(self, row: int) -> bytes:
        return self.spelled[row]

    def lower_bound(self, lo: int, hi: int, depth: int, byte: int) -> int:
        """The first row in [lo, hi), all of which are longer than `depth` and begin alike, whose byte there is `byte` or more."""
        return bisect_left(self.spelled, byte, lo, hi, key=lambda spelled: spelled[depth])

    def longest_prefix(self, text: Spelling) -> int | None:
        """The row of the longest token that `text` begins with."""
        lo, hi, best = 0, len(self), None
        for depth in range(len(text) + 1):
            if lo < hi and depth > 0 and len(self.spelled[lo]) == depth:
                best, lo = lo, lo + 1
            if depth == len(text) or lo >= hi:
                break
            lo, hi = self.lower_bound(lo, hi, depth, text[depth]), self.lower_bound(lo, hi, depth, text[depth] + 1)
        return best

    def compute_hash(self) -> int:
        pool = b"".join(self.spelled)
        offsets = np.cumsum([0, *map(len, self.spelled)]).astype("<u4").tobytes()
        tokens = np.array(self.tokens, "<i4").tobytes()
        return xxhash.xxh3_64_intdigest(offsets, xxhash.xxh3_64_intdigest(pool, xxhash.xxh3_64_intdigest(tokens)))
