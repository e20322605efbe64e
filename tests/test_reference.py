"""The reference decoder (reference/): its arithmetic, the specification's test vectors, and the golden archives that take little time.
scripts/check_reference (make reference) restores all of them.
"""

import fractions
import math
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from conftest import FAMILIES, ROOT

sys.path.insert(0, str(ROOT))

import golden_cases  # noqa: E402

from reference import arithmetic, payload  # noqa: E402
from reference.coder import CheckedDecoder, Decoder, Encoder  # noqa: E402
from reference.decode import decode  # noqa: E402
from reference.errors import Damaged, WrongModel  # noqa: E402

VECTORS = ROOT / "docs" / "spec" / "vectors"
TEXT = (golden_cases.TEXTS / "mixed.txt").read_bytes()[:400]
WINDOW = 64
CASES = {case.name: case for case in golden_cases.cases()}


def single(x):
    return np.float32(x)


def rounded(exact):
    """A fraction as the nearest single, ties to even, by integers alone."""
    if exact == 0:
        return 0.0
    sign, exact = (-1, -exact) if exact < 0 else (1, exact)
    exponent = max(math.floor(math.log2(exact)) - 1, -126)
    while exact >= fractions.Fraction(2) ** (exponent + 1):
        exponent += 1
    unit = fractions.Fraction(2) ** (max(exponent, -126) - 23)
    return float(sign * round(exact / unit) * unit)


def test_fused_multiply_add_known_answers():
    a = 1 + 2**-23
    cases = [  # a * b + c, and what one rounding makes of it
        (a, a, -(1 + 2**-22), 2**-46),  # the product's last bit is all that is left
        (1 + 2**-12, 1 + 2**-12, 0.0, 1 + 2**-11),  # a tie of the product goes to even
        (1 + 2**-12, 1 + 2**-12, 2**-80, 1 + 2**-11 + 2**-23),  # a little more is no tie: rounding twice would miss it
        (1 + 2**-12, 1 + 2**-12, -(2**-80), 1 + 2**-11),
        (2**-100, 2**-49, 2**-149, 2**-148),  # subnormals
        (2**-100, 2**-50, 0.0, 0.0),  # half of the smallest: a tie, to even
        (2**-100, 2**-50 * (1 + 2**-23), 0.0, 2**-149),
    ]
    for x, y, z, expected in cases:
        assert float(arithmetic.fma(single(x), single(y), single(z))) == expected, (x, y, z)


def test_fused_multiply_add_against_fractions():
    random = np.random.RandomState(7)
    bits = random.randint(0, 2**32, (3, 3000), dtype=np.uint32)
    bits[:, ::3] = bits[:, ::3] & 0x3FFFFFFF | 0x38000000  # of similar size, so that sums cancel
    a, b, c = (np.ascontiguousarray(row).view(np.float32) for row in bits)
    with np.errstate(all="ignore"):
        c[1::3] = -(a[1::3] * b[1::3]) * single(1 + 2**-22)
        result = arithmetic.fma(a, b, c)
    for x, y, z, got in zip(a, b, c, result):
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z) and math.isfinite(got)):
            continue
        exact = fractions.Fraction(float(x)) * fractions.Fraction(float(y)) + fractions.Fraction(float(z))
        assert float(got) == rounded(exact), (x, y, z)


def test_encoder_and_decoder_agree():
    random = np.random.RandomState(3)
    for count in (0, 1, 2, 7, 100, 3000):
        decisions = [(int(p), int(bit)) for p, bit in zip(random.randint(1, 65536, count), random.randint(0, 2, count))]
        encoder = Encoder()
        for p, bit in decisions:
            encoder.decide(p, bit)
        code = encoder.finish()
        for kind in (Decoder, CheckedDecoder):
            decoder = kind(code)
            assert [decoder.decide(p) for p, _ in decisions] == [bit for _, bit in decisions]
            decoder.check_end()
        if count > 7:
            other = CheckedDecoder(code + b"\0")
            assert [other.decide(p) for p, _ in decisions] == [bit for _, bit in decisions]
            with pytest.raises(Damaged):
                other.check_end()


class Recorder:
    """Decisions of a known text, written down."""

    def __init__(self):
        self.bits, self.lines = [], []

    def decide(self, p):
        bit = self.bits.pop(0)
        self.lines.append(f"{p} {bit}")
        return bit


def vector(name):
    return (VECTORS / name).read_text().splitlines()


@pytest.mark.parametrize("method", [2, 3])
def test_first_decisions_without_the_model(method):
    expected = vector(f"decisions-{method}.txt")
    mixer, _ = payload.plain_mixer(method, len(TEXT))
    recorder = Recorder()
    for byte in TEXT[: -(-len(expected) // 8)]:
        recorder.bits = [byte >> shift & 1 for shift in range(7, -1, -1)]
        payload.decode_byte(recorder, mixer, 0)
    assert recorder.lines[: len(expected)] == expected


@pytest.fixture(scope="module")
def model(test_model):
    from reference.model import Model, ModelFile

    return Model(ModelFile(test_model), WINDOW)


def test_logits_and_frequencies(model):
    from reference.frequencies import frequencies

    lane = model.transformer.open_lane()
    first = model.tokenizer.tokenize(TEXT)[0]
    for token in (model.vocabulary.start, model.vocabulary.tokens[first.row]):
        logits = model.transformer.feed([lane], [token])[0]
    lines = [f"{struct.unpack('<I', struct.pack('<f', x))[0]:x} {f}" for x, f in zip(logits, frequencies(logits))]
    assert lines == vector("logits.txt")


ESCAPES = b"\xc0\xc1 the end\xf8\xf9\xf8\xf9"


@pytest.mark.parametrize("method, name, text", [(4, "4", TEXT), (7, "7", TEXT), (7, "7-escapes", ESCAPES)])
def test_first_decisions_with_the_model(model, method, name, text):
    from reference.opening import Known, KnownWalk

    expected = vector(f"decisions-{name}.txt")
    known, recorder = Known(), Recorder()
    known.decide = lambda p: (setattr(recorder, "bits", known.bits), recorder.decide(p))[1]
    mixer = payload.make_mixer(model, method, [len(text)])
    cut = model.tokenizer.tokenize(text)
    units = payload.UnitDecoder(known, mixer, escapes=any(unit.row is None for unit in cut))
    lane, token, room = model.open_lane(), model.vocabulary.start, len(text)
    for unit in cut:
        known.bits = [int(unit.row is None)]
        units.decode_escape()
        if unit.row is None:
            known.bits = [unit.byte >> shift & 1 for shift in range(7, -1, -1)]
            payload.decode_byte(known, mixer, 0)
            room -= 1
            continue
        units.decode_token(0, KnownWalk(model, lane.sums_after(token), unit.row, known), room)
        token = model.vocabulary.tokens[unit.row]
        room -= len(model.vocabulary.bytes(unit.row))
        if len(recorder.lines) >= len(expected):
            break
    assert recorder.lines[: len(expected)] == expected


ARCHIVES = re.findall(r"```archive (\S+)\n(.*?)```", (VECTORS.parent / "vectors.md").read_text(), re.S)
ROSE = b"a rose is a rose is a rose is a rose, he said, and the rose is his rose\n"


def annotated(name):
    """The bytes of an archive on the page of vectors."""
    fields = [re.match(r"((?:[0-9A-F]{2} ?)+)", line)[1] for line in dict(ARCHIVES)[name].splitlines()]
    return bytes.fromhex("".join(fields))


def test_annotated_archives(binary, test_model):
    for name in ("cm", "llm"):
        opened = subprocess.run([binary, "-dc", "--model", test_model], input=annotated(name), capture_output=True)
        assert opened.stdout == ROSE, opened.stderr
    assert decode(annotated("llm"), test_model) == ROSE


def restore(case, model_file):
    return decode(case.path.read_bytes(), model_file, case.window, case.learns, case.dictionary)


@pytest.mark.parametrize("name", ["v1/short", "v1/short-opening", "v1/zstd", "v1/stored", "v1/empty"])
def test_golden_archives(test_model, name):
    assert restore(CASES[name], test_model) == CASES[name].text


@pytest.mark.parametrize("refusal", golden_cases.refusals(), ids=lambda refusal: refusal.name)
def test_refuses_what_the_program_refuses(test_model, refusal):
    model = test_model if refusal.has_model else None
    given = (golden_cases.ERRORS / refusal.dictionary).read_bytes() if refusal.dictionary else None
    with pytest.raises((Damaged, WrongModel)):
        decode(refusal.path.read_bytes(), model, golden_cases.WINDOW_IN_MEMORY, given=given)


def test_compact_texts():
    import smll

    for text in (b"", b"ab", b"aaaaaaaaaa" * 40, b"\x00\x01\xfe" * 50, b"no " * 20 + b"zstd" * 9):
        with smll.Compressor(experts="cm") as compressor:
            data = compressor.compress(text)
        assert data[0] & 0x80 and decode(data) == text
        with pytest.raises(Damaged):
            decode(data[:1] + bytes([data[1] ^ 1]) + data[2:])
    for first in (0xC0, 0xD0, 0xF0):
        with pytest.raises(Damaged):
            decode(bytes([first]) + b"text")


def test_damage_is_seen(test_model):
    case = CASES["v1/short"]
    data = bytearray(case.path.read_bytes())
    data[-1] ^= 1
    with pytest.raises(Damaged):
        decode(bytes(data), test_model, case.window)
    archive = bytearray(CASES["v1/llm"].path.read_bytes())
    archive[20] ^= 1
    with pytest.raises((Damaged, WrongModel)):
        decode(bytes(archive), test_model)
    with pytest.raises(WrongModel):
        decode(CASES["v1/llm"].path.read_bytes())


def test_imports_nothing_of_the_program():
    for path in (ROOT / "reference").rglob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in ("smll", "llama_cpp", "gguf", "pysmll"), f"{path}: {line}"


# Contractions, numbers, kinds of white space, added tokens, scripts.
CUT = """Let's see 12345 things: it'S  We'LL\r\n\r\n\t x\u00a0y \u3000z  größer 是 в и   \n\n\n  end,the  (the) of<think>the</think> <table>\n\n\t\tit
""".encode()


@pytest.mark.parametrize("family", FAMILIES)
def test_openings_are_cut_as_the_program_cuts(family_model, family):
    import smll

    from reference.gguf import Gguf
    from reference.tokenizer import Tokenizer
    from reference.vocabulary import Vocabulary

    path = family_model(family)
    file = Gguf(path)
    vocabulary = Vocabulary(file)
    units = Tokenizer(file, vocabulary).tokenize(CUT)
    cut = [bytes([unit.byte]) if unit.row is None else vocabulary.bytes(unit.row) for unit in units]
    with smll.Compressor(model_path=path, window=WINDOW) as compressor:
        assert [cost.token for cost in compressor.explain(CUT, guesses=0)] == cut


def test_words_of_openings():
    from reference.tokenizer import PRE_TOKENIZERS, parted_digits, words_of

    text = (VECTORS / "words-text.txt").read_bytes().decode()
    rows = dict(line.split(": ") for line in vector("words.txt"))
    for name, pre in PRE_TOKENIZERS.items():
        parts = parted_digits(text) if pre.each_digit else [text]
        sizes = [len(word.encode()) for part in parts for word in words_of(part, pre)]
        assert " ".join(map(str, sizes)) == rows[{"refact": "smollm"}.get(name, name)], name


@pytest.mark.parametrize("name", ["v1/dictionary-llm", "v1/short-dictionary"])
def test_an_opening_that_is_cut_otherwise_meets_the_checks(test_model, monkeypatch, name):
    from reference.tokenizer import Tokenizer

    def bytes_alone(self, text):
        units = []
        for byte in text:
            self.append_longest(bytes([byte]), units)
        return units

    monkeypatch.setattr(Tokenizer, "tokenize", bytes_alone)
    with pytest.raises(Damaged):
        restore(CASES[name], test_model)


HALVES = {"Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}  # where a block has them


def random_blocks(random, kind, rows, columns):
    size = gguf_types()[kind][2]
    blocks = random.randint(0, 256, (rows, columns // 256, size), dtype=np.uint8)
    for at in HALVES[kind]:
        halves = (random.random_sample((rows, columns // 256, 1)) * 0.01).astype("<f2")
        blocks[..., at : at + 2] = halves.view(np.uint8)
    return blocks.reshape(rows, -1)


def gguf_types():
    from reference.gguf import TYPES

    return TYPES


@pytest.mark.parametrize("kind", HALVES)
def test_archives_of_every_tensor_type(smll, tmp_path, kind):
    import gguf

    random, width = np.random.RandomState(11), 256
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(8)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    tokens = [chr(c) for c in range(ord("!"), ord("~") + 1)]
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    one = np.ones(width, np.float32)
    writer.add_tensor("token_embd.weight", np.tile(one, (len(tokens), 1)))
    writer.add_tensor("output_norm.weight", one)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", one)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        data = random_blocks(random, kind, width, width)
        writer.add_tensor(f"blk.0.{name}.weight", data, raw_dtype=gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    text = b"abc!xyz"
    archive = smll("-c", "--experts", "llm", "--model", path, input=text).stdout
    assert decode(archive, str(path)) == text
