"""What the tokens of a text cost."""

from __future__ import annotations

from typing import List, NamedTuple, Tuple


class Guess(NamedTuple):
    """One of the model's guesses at the next token."""

    token: bytes
    probability: float


class TokenCost(NamedTuple):
    """What one token cost; a byte that no token spells counts as one. A cost of b bits is a probability of 2^-b.

    Attributes:
        token: the bytes that the token spells.
        bits: its cost with all experts, in a text that begins with no opening.
        model_bits: its cost with the language model alone.
        context_bits: its cost with the context models alone.
        rank: its place among the model's guesses, from 1; 0 for a byte without a token.
        guesses: the model's likeliest tokens, best first.
    """

    token: bytes
    bits: float
    model_bits: float
    context_bits: float
    rank: int
    guesses: Tuple[Guess, ...]


class Ablation(NamedTuple):
    """What each expert beside the language model is worth.

    Attributes:
        bits: the text's cost with all experts.
        without: each expert's name, and the cost with this one left out.
    """

    bits: float
    without: List[Tuple[str, float]]
