"""The tokens that stand for text, sorted by their bytes: docs/spec/vocabulary.md."""

from __future__ import annotations

import functools
from bisect import bisect_left

import numpy as np
import xxhash

from reference.gguf import Gguf

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # GGUF's token types
ADDED_FIRST = {USER_DEFINED: 0, NORMAL: 1, BYTE: 2}  # of tokens that spell the same, which one is kept
# Control tokens, whatever type the file gives them: ends of turns and texts.
ENDS = """<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <|endoftext|> </s> <|eom_id|> <EOT> _<EOT> [EOT]
    [EOS] <|end_of_text|> <end_of_utterance> <eos> <turn|> <|tool_response> <｜end▁of▁sentence｜> [e~[""".split()
# Of each of these the first in the vocabulary, unless the file names another one by a key: what models fill in between parts of a file.
PARTS = [
    (["fim_pre", "prefix"], "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|>".split()),
    (["fim_suf", "suffix"], "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|>".split()),
    (["fim_mid", "middle"], "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>".split()),
    (["fim_pad"], "<|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]".split()),
    (["fim_rep"], "<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame>".split()),
    (["fim_sep"], ["<|file_sep|>"]),
]
# Always user-defined.
SHOWN = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"]
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
        return b"".join(stand_in(c, raw) for c in text)
    return text.replace(SPACE, " ").encode("utf-8", "surrogateescape")


Spelling = bytes


def token_texts(file: Gguf) -> list[str]:
    return [text or f"[EMPTY_{token}]" for token, text in enumerate(file.metadata["tokenizer.ggml.tokens"])]


def token_kinds(file: Gguf) -> list[int]:
    """Of each token: what the file says, but for some names."""
    texts = token_texts(file)
    token_of = {text: token for token, text in enumerate(texts)}
    kinds = list(file.metadata.get("tokenizer.ggml.token_type", [NORMAL] * len(texts)))

    def mend(names: list[str], kind: int) -> None:
        for name in names:
            if name in token_of:
                kinds[token_of[name]] = kind

    for keys, names in PARTS:
        named = any(file.metadata.get(f"tokenizer.ggml.{key}_token_id", len(texts)) < len(texts) for key in keys)
        mend(sorted((name for name in names if name in token_of), key=token_of.__getitem__)[: 0 if named else 1], CONTROL)
    mend(ENDS, CONTROL)
    mend(SHOWN, USER_DEFINED)
    # With these, the end of a turn has another token.
    if ("<|call|>" in token_of or "<|calls|>" in token_of) and ("<|return|>" in token_of or "<|flush|>" in token_of):
        mend(["<|end|>"], USER_DEFINED)
    if "<|tool_response>" in token_of:
        mend(["</s>"], NORMAL)
    return kinds


def stand_in(c: str, whole: bytes) -> bytes:
    """The byte that a character stands for. For one that stands for none there is text that says so, and the token's own."""
    if c in byte_alphabet():
        return bytes([byte_alphabet()[c]])
    code = c.encode("utf-8", "replace") if not "\udc80" <= c <= "\udcff" else "\ufffd".encode()
    return b"[UNK_BYTE_0x" + code.hex().encode() + whole + b"]"


def start_token(file: Gguf, byte_level: bool, tokens: int) -> int:
    """That begins a context: where the file names none, of texts, or of their ends, whichever there is."""
    for key, usual in (("bos", 11 if byte_level else 1), ("eos", 11 if byte_level else 2)):
        for token in (file.metadata.get(f"tokenizer.ggml.{key}_token_id", tokens), usual):
            if token < tokens:
                return int(token)
    return 0


class Vocabulary:
    def __init__(self, file: Gguf) -> None:
        data = file.metadata
        texts, kinds = token_texts(file), token_kinds(file)
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
        self.start = start_token(file, byte_level, len(texts))
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
