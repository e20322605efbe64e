"""How an opening is cut into tokens: docs/spec/vocabulary.md, "Cutting". Only what stands before a text is; texts come as decisions."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from reference.gguf import Gguf
from reference.vocabulary import NORMAL, USER_DEFINED, Vocabulary, byte_alphabet

MIN_PIECE, MAX_PIECE = 4096, 8192
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
# Pre-tokenizers by GGUF's names: whether each digit is a word of its own.
PRE_TOKENIZERS = {"gpt-2": False, "smollm": True}


@dataclass(frozen=True)
class Unit:
    """A row of the vocabulary or, where no token spells it, a byte."""

    row: int | None
    byte: int = 0


def kind_of(c: str) -> str:
    category = unicodedata.category(c)[0]
    if c.isspace() and category != "C" or c in "\t\n\v\f\r\x85":
        return "space"
    return {"L": "letter", "N": "number"}.get(category, "other")


def words_of(text: str) -> list[str]:
    """GPT-2's: contractions, and runs of letters, of numbers and of others, each with a space before it; the rest of white space."""
    words, at = [], 0
    while at < len(text):
        short = next((c for c in CONTRACTIONS if text.startswith(c, at)), None)
        if short:
            end = at + len(short)
        else:
            begin = at + 1 if text[at] == " " and at + 1 < len(text) else at
            kind = kind_of(text[begin])
            if kind == "space":
                begin = at
            end = begin
            while end < len(text) and kind_of(text[end]) == kind:
                end += 1
            # White space leaves its last character to the word behind it.
            if kind == "space" and end < len(text) and end - at > 1:
                end -= 1
        words.append(text[at:end])
        at = end
    return words


def parted_digits(text: str) -> list[str]:
    parts = [""]
    for c in text:
        if kind_of(c) == "number":
            parts += [c, ""]
        else:
            parts[-1] += c
    return [part for part in parts if part]


class Tokenizer:
    def __init__(self, file: Gguf, vocabulary: Vocabulary) -> None:
        data = file.metadata
        self.vocabulary = vocabulary
        self.pre = data.get("tokenizer.ggml.pre", "")
        texts = data["tokenizer.ggml.tokens"]
        self.token_of = {text: token for token, text in enumerate(texts)}
        self.ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(data.get("tokenizer.ggml.merges", []))}
        self.alphabet = {byte: c for c, byte in byte_alphabet().items()}
        kinds = data.get("tokenizer.ggml.token_type", [NORMAL] * len(texts))
        self.added = [text for text, kind in zip(texts, kinds) if kind == USER_DEFINED]

    def tokenize(self, text: bytes) -> list[Unit]:
        """Units that spell `text`, byte for byte."""
        units: list[Unit] = []
        while text:
            length = piece_length(text)
            self.append_piece(text[:length], units)
            text = text[length:]
        return units

    def append_piece(self, piece: bytes, units: list[Unit]) -> None:
        while piece:
            valid = utf8_prefix(piece)
            self.append_valid(piece[:valid], units)
            piece = piece[valid:]
            invalid = 0
            while invalid < len(piece) and utf8_prefix(piece[invalid:]) == 0:
                invalid += 1
            self.append_longest(piece[:invalid], units)
            piece = piece[invalid:]

    def append_valid(self, piece: bytes, units: list[Unit]) -> None:
        """From the first token that does not spell the text on, the longest tokens take over up to the line's end."""
        least = len(piece)
        while piece:
            tried = lines_length(piece, least)
            spelled = self.append_spelled(piece[:tried], units)
            piece = piece[spelled:]
            if spelled < tried:
                line = lines_length(piece, 0)
                self.append_longest(piece[:line], units)
                piece = piece[line:]
            least = 2 * spelled

    def append_spelled(self, piece: bytes, units: list[Unit]) -> int:
        at = 0
        for token in self.raw(piece.decode("utf-8")):
            row = self.vocabulary.row_of.get(token)
            if row is None or not piece.startswith(self.vocabulary.bytes(row), at):
                break
            units.append(Unit(row))
            at += len(self.vocabulary.bytes(row))
        return at

    def append_longest(self, piece: bytes, units: list[Unit]) -> None:
        while piece:
            row = self.vocabulary.longest_prefix(piece)
            units.append(Unit(row, piece[0]) if row is None else Unit(row))
            piece = piece[1 if row is None else len(self.vocabulary.bytes(row)) :]

    # Byte-level BPE.

    def raw(self, text: str) -> list[int]:
        if self.vocabulary.model != "gpt2" or self.pre not in PRE_TOKENIZERS or any(added in text for added in self.added):
            raise NotImplementedError(f"openings of models with the tokenizer {self.vocabulary.model} {self.pre}")
        parts = parted_digits(text) if PRE_TOKENIZERS[self.pre] else [text]
        return [token for part in parts for word in words_of(part) for token in self.merged(word)]

    def merged(self, word: str) -> list[int]:
        """The pair of the lowest rank is merged first, of equal ones the leftmost."""
        symbols = [self.alphabet[byte] for byte in word.encode("utf-8")]
        while len(symbols) > 1:
            ranked = [(self.ranks.get((a, b), len(self.ranks)), i) for i, (a, b) in enumerate(zip(symbols, symbols[1:]))]
            rank, i = min(ranked)
            if rank == len(self.ranks):
                break
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        return [self.token_of[s] for symbol in symbols for s in ([symbol] if symbol in self.token_of else symbol) if s in self.token_of]


def utf8_prefix(text: bytes) -> int:
    """Bytes at the start that are valid UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(text)


def piece_length(text: bytes) -> int:
    """Long texts are cut behind a line, else before a space that follows a word, else anywhere but in a character."""
    if len(text) <= MAX_PIECE:
        return len(text)
    line = text.rfind(b"\n", MIN_PIECE, MAX_PIECE)
    if line >= 0:
        return line + 1
    for i in range(MAX_PIECE - 1, MIN_PIECE, -1):
        if text[i] == 32 and text[i - 1] != 32:
            return i
    end = MAX_PIECE
    while end > MIN_PIECE and text[end] & 0xC0 == 0x80:
        end -= 1
    return end if end > MIN_PIECE else MAX_PIECE


def lines_length(text: bytes, least: int) -> int:
    """Bytes of the fewest whole lines that are longer than `least`; empty lines are not parted."""
    end = text.find(b"\n", min(least, len(text)))
    if end < 0:
        return len(text)
    while end < len(text) and text[end] == 10:
        end += 1
    return end
