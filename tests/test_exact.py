"""Golden archives: what an earlier smll wrote opens, and the same text is written as the same bytes, on every
instruction set. SMLL_BIN may name another build of the program, such as one for AArch64 under an emulator.
"""

import pathlib

import pytest
from conftest import FAMILIES

TEXTS = pathlib.Path(__file__).resolve().parent / "golden"
GOLDEN = TEXTS / "v1"
TEXT = TEXTS / "mixed.txt"
ISAS = ["scalar", "avx2", "avx512", "amx", "neon"]
SMALL_MODEL = {  # archive: options that write it, its method
    "llm": (["--experts", "llm", "--window", "64"], "llm"),
    "lanes": (["--experts", "llm", "--window", "64", "--lanes", "3"], "llm"),
    "learn": (["--experts", "llm", "--window", "128", "--learn"], "llm"),
}
UNIT_TEST = ["mixed", "mixed-learn"]  # what src/api/golden_test.cc writes, of the text's first bytes
UNIT_TEST_TEXT = TEXT.read_bytes()[:1000]
NO_MODEL = {  # archive: its text, options that write it, its method
    "cm": (TEXTS / "numbers.txt", ["--experts", "cm"], "cm"),
    "cm-english": (TEXT, ["--experts", "cm"], "cm-english"),
    "cm-fast": (TEXT, ["--experts", "cm-fast"], "cm-fast"),
    "frames": (TEXT, ["--experts", "cm", "--frame-size", "1000"], "cm-english"),
    "stored": (TEXTS / "random.bin", [], "stored"),
}


def skip_without(smll, isa, model):
    probe = smll("--isa", isa, "--model", model, "--experts", "llm", "-c", input=b"x", status=None)
    if probe.returncode != 0:
        assert b"instruction set" in probe.stderr
        pytest.skip(f"this machine or build has no {isa}")


def check(smll, golden, text, options):
    archive = golden.read_bytes()
    assert smll("-dc", *options, str(golden)).stdout == text.read_bytes()
    assert smll("-c", *options, input=text.read_bytes()).stdout == archive


# Without vectors learning is slow: src/api/golden_test.cc has it, from less text.
@pytest.mark.parametrize("isa, name", [(isa, name) for isa in ISAS for name in SMALL_MODEL if (isa, name) != ("scalar", "learn")])
def test_small_model(smll, test_model, isa, name):
    skip_without(smll, isa, test_model)
    options, method = SMALL_MODEL[name]
    golden = GOLDEN / f"{name}.smll"
    assert method.encode() in smll("-l", str(golden)).stdout.split()
    check(smll, golden, TEXT, ["--isa", isa, "--model", test_model, *options])


@pytest.mark.parametrize("name", UNIT_TEST)
@pytest.mark.parametrize("isa", ISAS)
def test_small_model_and_context_models(smll, test_model, isa, name):
    skip_without(smll, isa, test_model)
    golden = str(GOLDEN / f"{name}.smll")
    assert b"mixed" in smll("-l", golden).stdout.split()
    assert smll("-dc", "--isa", isa, "--model", test_model, golden).stdout == UNIT_TEST_TEXT


@pytest.mark.parametrize("name", ["llm", "lanes"])
def test_small_model_on_a_gpu(smll, test_model, emulated_gpu, name):
    options, _ = SMALL_MODEL[name]
    check(smll, GOLDEN / f"{name}.smll", TEXT, ["--device", "cuda", "--model", test_model, *options])


def test_python_on_a_gpu(test_model, emulated_gpu):
    smll = pytest.importorskip("smll")
    options = {"experts": "llm", "window": 64, "lanes": 1}
    on_gpu, on_cpu = (smll.Compressor(test_model, device=device, **options) for device in ("cuda", "cpu"))
    archive = on_gpu.compress(UNIT_TEST_TEXT)
    assert archive == on_cpu.compress(UNIT_TEST_TEXT)
    assert on_gpu.decompress(archive) == UNIT_TEST_TEXT.decode()
    assert on_gpu.model["device"].startswith("cuda:0 ") and on_cpu.model["device"] == "cpu"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("isa", ISAS)
def test_families(smll, family_model, isa, family):
    """What src/api/golden_test.cc writes: a frame of the model alone, and one with context models."""
    model = family_model(family)
    skip_without(smll, isa, model)
    golden = str(GOLDEN / "families" / f"{family}.smll")
    assert {b"llm", b"mixed"} <= set(smll("-l", "-v", golden).stdout.replace(b",", b" ").split())
    assert smll("-dc", "--isa", isa, "--model", model, golden).stdout == UNIT_TEST_TEXT


@pytest.mark.parametrize("lanes", [3, 16, 17])
def test_lanes_are_shared_among_threads(smll, test_model, tmp_path, lanes):
    """Each thread encodes some of the lanes; many lanes are decoded in two halves at once, or by one thread."""
    text = (TEXTS / "mixed.txt").read_bytes() * 2 + bytes(range(256))  # some bytes are no token's
    common = ["--model", test_model, "--window", "64"]
    archive = smll("-c", *common, "--experts", "llm", "--lanes", str(lanes), input=text).stdout
    for threads in ("1", "2", "4"):
        again = smll("-c", *common, "-T", threads, "--experts", "llm", "--lanes", str(lanes), input=text)
        assert again.stdout == archive
        assert smll("-dc", *common, "-T", threads, input=archive).stdout == text
    # A fault in either half ends both.
    path = tmp_path / "damaged.smll"
    for place in range(200, len(archive), len(archive) // 5):
        path.write_bytes(archive[:place] + bytes([archive[place] ^ 16]) + archive[place + 1:])
        refused = smll("-dc", *common, "-T", "2", str(path), status=1)
        assert refused.stdout == b"" and b"damaged" in refused.stderr


@pytest.mark.parametrize("name", NO_MODEL)
def test_without_model(smll, name):
    text, options, method = NO_MODEL[name]
    golden = GOLDEN / f"{name}.smll"
    assert method.encode() in smll("-l", str(golden)).stdout.split()
    check(smll, golden, text, options)


@pytest.mark.real_model
@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa != "scalar"])
def test_real_model(smll, real_model, isa):
    skip_without(smll, isa, real_model)
    check(smll, GOLDEN / "real.smll", TEXTS / "real.txt", ["--isa", isa, "--model", real_model])


@pytest.mark.real_model
def test_real_model_without_vectors(smll, real_model):
    """The archive of a short text, since this is slow, is what the others write."""
    text = (TEXTS / "real.txt").read_bytes()[:100]
    options = ["--model", real_model]
    archive = smll("-c", *options, input=text).stdout
    assert smll("-c", "--isa", "scalar", *options, input=text).stdout == archive
    assert smll("-dc", "--isa", "scalar", *options, input=archive).stdout == text


def test_other_forms_of_files(smll, test_model):
    """zstd's payloads depend on its version: they are only read."""
    numbers = (TEXTS / "numbers.txt").read_bytes()
    assert smll("-dc", str(GOLDEN / "zstd.smll")).stdout == numbers
    assert smll("-dc", str(GOLDEN / "empty.smll")).stdout == b""
    assert smll("-c", input=b"").stdout == (GOLDEN / "empty.smll").read_bytes()
    joined = smll("-dc", "--model", test_model, str(GOLDEN / "concatenated.smll")).stdout
    assert joined == numbers + TEXT.read_bytes()
