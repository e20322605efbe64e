"""A model as payloads see it: lanes that are fed tokens and give frequencies. docs/spec/payload.md, "The model"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xxhash

from reference import weights
from reference.errors import WrongModel
from reference.frequencies import sums_of
from reference.gguf import Gguf
from reference.learning import Learner
from reference.tokenizer import Tokenizer
from reference.transformer import LaneState, Transformer
from reference.varint import u64
from reference.vocabulary import Vocabulary

if TYPE_CHECKING:
    from reference.dictionary import Dictionary
    from reference.opening import Opening

ARITHMETIC_VERSION, LEARNING_VERSION = 1, 2


class ModelFile:
    """What a GGUF file holds."""

    def __init__(self, path: str) -> None:
        file = Gguf(path)
        self.vocabulary = Vocabulary(file)
        self.tokenizer = Tokenizer(file, self.vocabulary)
        self.weights = weights.load(file, self.vocabulary.tokens, self.vocabulary.start)


class Lane:
    """A text's place in the model. The model runs where somebody asks what comes next."""

    def __init__(self, model: Model, state: LaneState, first_token: int) -> None:
        self.model, self.state, self.first_token = model, state, first_token
        self.sums: np.ndarray | None = None

    def sums_after(self, token: int) -> np.ndarray:
        """The frequencies' sums after `token`, which is fed at the first question. A byte that no token spells asks no second time."""
        if self.sums is None:
            self.take(self.model.transformer.feed([self.state], [token])[0])
        assert self.sums is not None
        sums, self.sums = self.sums, None
        return sums

    def take(self, logits: np.ndarray) -> None:
        self.sums = sums_of(logits)


class Model:
    """A file's model with a window, one that learns or not, with what a dictionary adds."""

    def __init__(self, file: ModelFile, window: int, learns: bool = False, dictionary: Dictionary | None = None) -> None:
        self.file, self.window, self.learns = file, window, learns
        self.vocabulary, self.tokenizer = file.vocabulary, file.tokenizer
        self.weights = file.weights
        self.dictionary = dictionary
        self.opening: Opening | None = None
        if dictionary:
            from reference.opening import Opening

            if not dictionary.fits(*self.identity()):
                raise WrongModel("the dictionary was made for another model")
            self.weights = dictionary.adapted(file.weights)
            self.opening = Opening(self, dictionary.opening, dictionary.sample)
        self.transformer = Transformer(self.weights, window)

    def identity(self) -> tuple[int, int]:
        """The fingerprints of weights and vocabulary, without a dictionary's adapter."""
        return self.file.weights.fingerprint, self.vocabulary.hash

    def fingerprint(self) -> int:
        return xxhash.xxh3_64_intdigest(u64(*self.identity()))

    def is_named_by(self, fingerprint: int) -> bool:
        """Whether an archive with this fingerprint, and this window, names the model. Versions before 1.0 wrote another one."""
        return fingerprint in (self.fingerprint(), xxhash.xxh3_64_intdigest(u64(*self.identity(), self.window)))

    def arithmetic(self) -> int:
        return LEARNING_VERSION if self.learns else ARITHMETIC_VERSION

    def open_lane(self, opening: Opening | None = None) -> Lane:
        """Empty, or as far as an opening goes."""
        opening = opening or self.opening
        state = opening.state() if opening else self.transformer.open_lane()
        first = opening.last_token() if opening else self.vocabulary.start
        if self.learns:
            state.learner = Learner(self.transformer, state)
        return Lane(self, state, first)

    def run_ahead(self, asking: list[tuple[Lane, int]]) -> None:
        """Feeds the tokens of several lanes at once, which takes less time and changes nothing. Who learns has one lane."""
        if self.learns or len(asking) < 2:
            return
        waiting = [(lane, token) for lane, token in asking if lane.sums is None]
        if not waiting:
            return
        logits = self.transformer.feed([lane.state for lane, _ in waiting], [token for _, token in waiting])
        for (lane, _), of_lane in zip(waiting, logits):
            lane.take(of_lane)
