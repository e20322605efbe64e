"""Models of every family, end to end: any bytes come back, and learning makes less of a text."""

import pytest
from conftest import FAMILIES, INPUTS, lines

# What tokenizers treat in a way of their own.
SPECIAL = {
    "a space first": b" the that was",
    "spaces": b"   the   that\n    was  ",
    "line ends": b"\n" * 100 + b"the\n\n\nthat" + b"\n" * 33 + b"\r\n\r\n",
    "tokens' texts": b"x<bos>y <start_of_turn>user\n<end_of_turn> <|im_start|><|im_end|><|endoftext|> <unused3> "
                     b"[multimodal]<table></table> <think>a</think> <s></s><unk><pad><mask> <0x41><tool_call>",
    "stand-ins for spaces": "a\u2581b \u2581 c\nthe \u0120that \u010a was\n\u2581\n\u2581\u2581\n".encode(),
    "scripts": "ä ß ñ ¿qué? Ελλάδα Москва не что 中文 的是 日本語 한국어 עברית العربية हिन्दी ไทย ქართული 👩‍👩‍👧 𝕏 \u202e".encode() * 3,
    "cut sequences": "€ 😀 я".encode()[:-1] + b"\xff\xc3\xe2\x82 the",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_any_bytes_come_back(smll, family_model, family):
    names = {}
    for number, (name, data) in enumerate({**INPUTS, **SPECIAL}.items()):
        smll.write(f"{number}.txt", data[:5000])
        names[f"{number}.txt"] = (name, data[:5000])
    model = ["-q", "--model", family_model(family), "--window", "64"]
    smll(*model, "--experts", "llm", *names)
    for file, (name, data) in names.items():
        smll.path(file).unlink()
    smll(*model, "-d", *[f"{file}.smll" for file in names])
    for file, (name, data) in names.items():
        assert smll.path(file).read_bytes() == data, name


@pytest.mark.parametrize("family", FAMILIES)
def test_learning(smll, family_model, family):
    text = lines(3000)
    common = ["-c", "--model", family_model(family), "--window", "128", "--experts", "llm"]
    learnt = smll(*common, "-9", input=text).stdout
    plain = smll(*common, "--lanes", "1", input=text).stdout
    assert len(learnt) < len(plain) < len(text) / 1.1, "the model is good for nothing here"
    assert smll("-dc", "--model", family_model(family), input=learnt).stdout == text
