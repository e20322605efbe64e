"""2,000 random digits took the model 21 seconds to decode, for 6 bytes won: what a token saves must be worth its time."""

import random

import pytest


@pytest.mark.real_model
@pytest.mark.parametrize("size", [300, 2000])
def test_the_model_is_left_out_where_it_wins_next_to_nothing(smll, real_model, size):
    chooser = random.Random(size)
    digits = "".join(chooser.choice("0123456789") for _ in range(size)).encode()
    archive = smll("--model", real_model, "-c", input=digits).stdout
    assert b"cm" in smll("-l", input=archive).stdout.split()
    assert smll("-dc", input=archive).stdout == digits


@pytest.mark.real_model
def test_prose_is_worth_it(smll, real_model):
    text = b"It is a truth universally acknowledged, that a single man in possession of a good fortune"
    archive = smll("--model", real_model, "-c", input=text).stdout
    assert not b"cm" in smll("-l", input=archive).stdout.split()
