"""How an opening is cut into tokens: docs/spec/vocabulary.md, "Cutting". Only what stands before a text is; texts come as decisions."""

from __future__ import annotations

import heapq
import re
import unicodedata
from dataclasses import dataclass

from reference.gguf import Gguf
from reference.vocabulary import SPACE, USER_DEFINED, Vocabulary, byte_alphabet, token_kinds, token_texts

MIN_PIECE, MAX_PIECE = 4096, 8192
CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)")
CONTRACTION_OF_ANY_CASE = re.compile(CONTRACTION.pattern, re.I)
# Over classes of characters: L letter, N number, o other; space, line break and return stand for themselves, a tab for all other white space.
GPT2_WORDS = re.compile(r" ?L+| ?N+| ?o+|\s+(?!\S)|\s+")
QWEN_WORDS = re.compile(r"[^\r\nLN]?L+|N| ?o+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SMAUG_WORDS = re.compile(QWEN_WORDS.pattern.replace("|N|", "|N{1,3}|"))


@dataclass(frozen=True)
class Unit:
    """A row of the vocabulary or, where no token spells it, a byte."""

    row: int | None
    byte: int = 0


@dataclass(frozen=True)
class PreTokenizer:
    """How a text is cut into words."""

    words: re.Pattern[str]
    contraction: re.Pattern[str] = CONTRACTION
    each_digit: bool = False  # is a part of its own before all else


# By GGUF's names.
PRE_TOKENIZERS = {
    "gpt-2": PreTokenizer(GPT2_WORDS),
    "smollm": PreTokenizer(GPT2_WORDS, each_digit=True),
    "refact": PreTokenizer(GPT2_WORDS, each_digit=True),
    "qwen2": PreTokenizer(QWEN_WORDS, CONTRACTION_OF_ANY_CASE),
    "smaug-bpe": PreTokenizer(SMAUG_WORDS, CONTRACTION_OF_ANY_CASE),
}


def class_of(c: str) -> str:
    category = unicodedata.category(c)[0]
    if c in " \r\n":
        return c
    if c.isspace() and category != "C" or c in "\t\v\f\x85":
        return "\t"
    return {"L": "L", "N": "N"}.get(category, "o")


def words_of(text: str, pre: PreTokenizer) -> list[str]:
    classes = "".join(map(class_of, text))
    words, at = [], 0
    while at < len(text):
        found = pre.contraction.match(text, at) or pre.words.match(classes, at)
        assert found
        words.append(text[at : found.end()])
        at = found.end()
    return words


def parted_digits(text: str) -> list[str]:
    parts = [""]
    for c in text:
        if class_of(c) == "N":
            parts += [c, ""]
        else:
            parts[-1] += c
    return [part for part in parts if part]


class Tokenizer:
    def __init__(self, file: Gguf, vocabulary: Vocabulary) -> None:
        data = file.metadata
        self.vocabulary = vocabulary
        self.pre = PRE_TOKENIZERS.get(data.get("tokenizer.ggml.pre", ""))
        self.name = f"{vocabulary.model} {data.get('tokenizer.ggml.pre', '')}"
        texts = token_texts(file)
        self.token_of = {text: token for token, text in enumerate(texts)}
        self.ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(data.get("tokenizer.ggml.merges", []))}
        self.scores: list[float] = data.get("tokenizer.ggml.scores", [])
        self.space_prefix = data.get("tokenizer.ggml.add_space_prefix", vocabulary.model == "llama")
        self.alphabet = {byte: c for c, byte in byte_alphabet().items()}
        added = [text for text, kind in zip(texts, token_kinds(file)) if kind == USER_DEFINED]
        self.added = sorted(added, key=lambda text: -len(text.encode("utf-8", "surrogateescape")))

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

    # The model's own tokenizer.

    def raw(self, text: str) -> list[int]:
        tokens = self.fragments(text)
        if self.vocabulary.model == "llama" and tokens and self.spells_space(tokens[0]):
            # The space that it puts in front is none of the text's.
            line_end, behind = self.fragments("\n"), self.fragments("\n" + text)
            if len(behind) > len(line_end) and behind[: len(line_end)] == line_end:
                return behind[len(line_end) :]
        return tokens

    def spells_space(self, token: int) -> bool:
        row = self.vocabulary.row_of.get(token)
        return row is not None and self.vocabulary.bytes(row).startswith(b" ")

    def fragments(self, text: str) -> list[int]:
        """Added tokens first, the longest first; what is between them is cut by itself."""
        parts: list[str | int] = [text]
        for added in self.added:
            parts = [piece for part in parts for piece in (parted(part, added, self.token_of[added]) if isinstance(part, str) else [part])]
        tokens, behind_added = [], True
        for part in parts:
            if isinstance(part, int):
                tokens.append(part)
                behind_added = True
            else:
                tokens += self.cut(" " + part if self.space_prefix and behind_added else part)
                behind_added = False
        return tokens

    def cut(self, text: str) -> list[int]:
        if self.vocabulary.model == "llama":
            return self.sentence_pieces(text.replace(" ", SPACE))
        if self.pre is None:
            raise NotImplementedError(f"openings of models with the tokenizer {self.name}")
        parts = parted_digits(text) if self.pre.each_digit else [text]
        return [token for part in parts for word in words_of(part, self.pre) for token in self.merged(word)]

    def sentence_pieces(self, text: str) -> list[int]:
        """Of all neighbours that are a token together, those of the highest score are joined, of equal ones the leftmost."""
        symbols = list(text)
        right = list(range(1, len(text) + 1))  # of each symbol that is left
        left = list(range(-1, len(text) - 1))
        joined_from: dict[str, tuple[str, str]] = {}
        queue: list[tuple[float, int, int, int]] = []

        def offer(a: int, b: int) -> None:
            if a < 0 or b >= len(symbols):
                return
            both = symbols[a] + symbols[b]
            token = self.token_of.get(both)
            if token is not None:
                heapq.heappush(queue, (-self.scores[token], a, b, len(both)))
                joined_from[both] = symbols[a], symbols[b]

        for i in range(len(text) - 1):
            offer(i, i + 1)
        while queue:
            _, a, b, size = heapq.heappop(queue)
            if not symbols[a] or not symbols[b] or len(symbols[a]) + len(symbols[b]) != size:
                continue
            symbols[a], symbols[b] = symbols[a] + symbols[b], ""
            right[a] = right[b]
            if right[b] < len(symbols):
                left[right[b]] = a
            offer(left[a], a)
            offer(a, right[a])
        return [token for symbol in symbols if symbol for token in self.resegmented(symbol, joined_from)]

    def resegmented(self, symbol: str, joined_from: dict[str, tuple[str, str]]) -> list[int]:
        if symbol in self.token_of:
            return [self.token_of[symbol]]
        if symbol in joined_from:
            return [token for part in joined_from[symbol] for token in self.resegmented(part, joined_from)]
        return [self.token_of[f"<0x{byte:02X}>"] for byte in symbol.encode("utf-8")]

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


def parted(text: str, added: str, token: int) -> list[str | int]:
    """At each place where an added token's text stands."""
    parts: list[str | int] = []
    for i, part in enumerate(text.split(added)):
        parts += ([token] if i > 0 else []) + ([part] if part else [])
    return parts


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
