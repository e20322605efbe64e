"""Texts in memory that the model codes: a form of one byte, an opening of the table, an end that is a line break."""

import pathlib
import random

import pytest
import smll

TEXTS = (pathlib.Path(__file__).resolve().parent / "data" / "short_texts.txt").read_text(encoding="utf-8").split("%%\n")


@pytest.fixture(scope="module")
def compressor(test_model):
    return smll.Compressor(test_model, experts="llm")


def test_texts_of_any_size_and_kind(compressor):
    randomness = random.Random(1)
    line = "".join(randomness.choice("abc de") for _ in range(65535))
    texts = ["a", "\n", "a\n", "\n\n", "\r", "no break", "a break\n", "two\nlines", "é", line, line[:32767], line[:32766]]
    texts += TEXTS
    archives = compressor.compress_many(texts)
    assert compressor.decompress_many(archives) == texts
    assert archives[0] == compressor.compress(texts[0])


def test_bytes_that_no_token_spells(compressor):
    for data in (b"\xff", b"text \x80\x81 text", b"\x00" * 50 + b"line", b"line\n\xfe"):
        assert compressor.decompress_bytes(compressor.compress(data)) == data


def test_any_bytes_are_decoded_or_refused(compressor):
    randomness = random.Random(2)
    items = [b"\x00\xf7\xd0", b"\x00", b"\x7f", b"plain text is no archive"]
    items += [bytes([randomness.randrange(128)]) + randomness.randbytes(randomness.randrange(8)) for _ in range(200)]
    results = compressor.decompress_many_bytes(items, errors="return")
    for item, result in zip(items, results):
        assert isinstance(result, bytes) or result.kind in ("data", "memory"), (item, result)
    assert sum(isinstance(result, bytes) for result in results) <= 2
    with pytest.raises(smll.Error, match="not smll data"):
        compressor.decompress(b"plain text is no archive")


def test_limits_hold(test_model, compressor):
    archive = compressor.compress("word " * 40)
    assert compressor.decompress_bytes(archive, max_bytes=200) == b"word " * 40
    with pytest.raises(smll.Error, match="limit"):
        compressor.decompress_bytes(archive, max_bytes=199)


def test_another_dictionary_is_refused(test_model, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"lines of {name}\nand more lines of {name}\n" * 20)
    one = smll.Compressor(test_model, dictionary=tmp_path / "one")
    texts = [f"and more lines of one {i}" for i in range(20)]
    archives = one.compress_many(texts)
    assert one.decompress_many(archives) == texts
    assert sum(map(len, archives)) < sum(map(len, smll.Compressor(test_model).compress_many(texts)))
    for other in (smll.Compressor(test_model), smll.Compressor(test_model, dictionary=tmp_path / "two")):
        results = other.decompress_many(archives, errors="return")
        assert sum(isinstance(result, smll.Error) for result in results) >= 19


def test_files_with_a_dictionary(test_model, tmp_path):
    (tmp_path / "words").write_text("words that come again and again\n" * 50)
    dictionary = smll.Dictionary.load(tmp_path / "words")
    with_it = smll.Compressor(test_model, dictionary=dictionary)
    with smll.open(tmp_path / "a.smll", "wt", compressor=with_it) as file:
        file.write("again words that come\n" * 3)
    with smll.open(tmp_path / "a.smll", "rt", compressor=with_it) as file:
        assert file.read() == "again words that come\n" * 3
    with pytest.raises(ValueError, match="dictionary"):
        smll.open(tmp_path / "a.smll", compressor=with_it, dictionary=dictionary)


@pytest.mark.real_model
def test_quotes_are_short(real_model):
    compressor = smll.Compressor(real_model)
    for text, most in (
        ("It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.", 12),
        ("It was the best of times, it was the worst of times", 8),
        ("All happy families are alike; each unhappy family is unhappy in its own way.", 12),
    ):
        archive = compressor.compress(text)
        assert len(archive) <= most
        assert compressor.decompress(archive) == text
