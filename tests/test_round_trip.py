"""Everything comes back byte for byte, through the program, whatever the method."""

import pytest
from conftest import INPUTS, lines, noise

METHODS = {
    "cm-fast": ["-1"],
    "cm": ["-2"],
    "all": ["--experts", "all"],
    "llm": ["--experts", "llm"],
    "llama": ["--backend", "llama", "--experts", "all", "-T", "1"],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", INPUTS)
def test_file(smll, test_model, name, method):
    data = INPUTS[name]
    model = ["--model", test_model, "-T", "1"]
    smll.write("f", data)
    smll(*METHODS[method], *model, "f")
    archive = smll.path("f.smll").read_bytes()
    assert archive[:3] == b"\xf3ml"
    smll(*model, "-d", "f.smll", "-o", "back")
    assert smll.path("back").read_bytes() == data


@pytest.mark.parametrize("lanes", [1, 2, 7, 32])
def test_lanes(smll, test_model, lanes):
    data = lines(3000)
    archive = smll("--model", test_model, "--lanes", lanes, "--experts", "llm", input=data).stdout
    assert smll("--model", test_model, "-d", input=archive).stdout == data


def test_mixed_text_and_binary(smll):
    data = lines(150_000) + noise(200_000) + lines(70_000, 2) + bytes(100_000)
    archive = smll("-1", input=data).stdout
    assert len(archive) < 300_000
    assert smll("-d", input=archive).stdout == data


def test_incompressible_grows_little(smll):
    data = noise(1 << 18)
    assert len(smll("-1", input=data).stdout) <= len(data) + 40


def test_concatenated_archives(smll):
    one, two = smll("-1", input=b"one ").stdout, smll("-1", input=b"two").stdout
    assert smll("-d", input=one + two).stdout == b"one two"


def test_archive_is_found_by_fingerprint(smll, test_model):
    archive = smll("--experts", "llm", "--model", test_model, input=lines(300)).stdout
    # The first run has remembered where the model is.
    assert smll("-d", input=archive).stdout == lines(300)


def test_wrong_model_is_refused(smll, test_model, other_model):
    archive = smll("--experts", "llm", "--model", test_model, input=lines(300)).stdout
    result = smll("-d", "--model", other_model, input=archive, status=3)
    assert result.stdout == b""
    assert b"fingerprint" in result.stderr


def test_missing_model_is_named(smll, test_model, tmp_path):
    archive = smll("--experts", "llm", "--model", test_model, input=lines(300)).stdout
    result = smll("-d", input=archive, status=3, env={"SMLL_CACHE": str(tmp_path / "none")})
    assert b"smll models pull" in result.stderr
    # Frames without the model need none.
    plain = smll("-1", input=b"plain").stdout
    assert smll("-d", input=plain, env={"SMLL_CACHE": str(tmp_path / "none")}).stdout == b"plain"


def test_threads_and_isa_change_nothing(smll, test_model):
    data = lines(2000)
    options = ["--model", test_model, "--experts", "llm"]
    reference = smll(*options, "-T", 1, "--isa", "scalar", input=data).stdout
    assert smll(*options, "-T", 2, input=data).stdout == reference
    assert smll(*options, "-d", "-T", 2, input=reference).stdout == data


@pytest.mark.real_model
def test_real_model(smll, real_model):
    data = b"It is a truth universally acknowledged, that a single man in possession of a good fortune"
    archive = smll("--model", real_model, input=data).stdout
    assert len(archive) < len(data)
    assert smll("-d", "--model", real_model, input=archive).stdout == data
