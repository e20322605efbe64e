"""What lanes begin with: docs/spec/dictionaries.md, "What an opening means"."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from reference.mixing.frame import ALL, FrameMixer
from reference.payload import UnitDecoder, decode_byte
from reference.transformer import LaneState
from reference.walk import Walk

if TYPE_CHECKING:
    import numpy as np

    from reference.model import Model

ROOM = 1 << 20  # more than any token: whether the last one ends is a decision, too


class Known:
    """Gives the decisions of a text that is known; nothing is coded. Whoever asks has said before what comes."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def decide(self, p: int) -> int:
        return self.bits.pop(0)


class KnownWalk(Walk):
    """Tells the outcomes of the token's decisions just before they are asked for."""

    def __init__(self, model: Model, sums: np.ndarray, row: int, known: Known) -> None:
        super().__init__(model.vocabulary, sums)
        self.spelled, self.known = model.vocabulary.bytes(row), known

    def end(self) -> int:
        self.known.bits = [int(self.depth == len(self.spelled))]
        return super().end()

    def bit(self) -> int:
        self.known.bits = [self.spelled[self.depth] >> self.shift & 1]
        return super().bit()


class Opening:
    """For one model and window."""

    def __init__(self, model: Model, text: bytes, sample: bytes = b"") -> None:
        self.model, self.sample = model, sample
        self.units = model.tokenizer.tokenize(text)[-(model.window // 2) :] if model.window > 1 else []
        self.rows = [unit.row for unit in self.units if unit.row is not None]
        self.tokens = [model.vocabulary.tokens[row] for row in self.rows]

    def last_token(self) -> int:
        """What a lane is fed first."""
        return self.tokens[-1] if self.tokens else self.model.vocabulary.start

    @functools.cached_property
    def read(self) -> tuple[LaneState, list[np.ndarray]]:
        """A lane that was fed all but the last token, and the sums of frequencies after each that it was fed."""
        from reference.frequencies import sums_of

        transformer = self.model.transformer
        state = transformer.open_lane()
        fed = [self.model.vocabulary.start, *self.tokens][: len(self.tokens)]
        return state, [sums_of(transformer.feed([state], [token])[0]) for token in fed]

    def state(self) -> LaneState:
        return self.read[0].copy()

    @functools.cached_property
    def _mixer(self) -> FrameMixer:
        vocabulary = self.model.vocabulary
        text_bytes = sum(1 if unit.row is None else len(vocabulary.bytes(unit.row)) for unit in self.units)
        mixer = FrameMixer(ALL, [len(self.sample) + text_bytes])
        mixer.read(self.sample)
        known = Known()
        units = UnitDecoder(known, mixer, escapes=False)
        sums = iter(self.read[1])
        for unit in self.units:
            if unit.row is not None:
                units.decode_token(0, KnownWalk(self.model, next(sums), unit.row, known), ROOM)
                continue
            known.bits = [unit.byte >> shift & 1 for shift in range(7, -1, -1)]
            decode_byte(known, mixer, 0)
        return mixer

    def mixer(self) -> FrameMixer:
        """What the context models have learned from the sample and the text. It never changes again."""
        return self._mixer
