"""An archive of 41 bytes took seconds, and others asked for a gigabyte of memory: nothing limited what archives of
others may cost."""

import subprocess

import pytest
from conftest import lines

import smll as package


TEXT = lines(130_000)


@pytest.fixture(scope="module")
def archived(binary):
    """Three frames, the first two of which take 27 MB to restore."""
    return subprocess.run([binary, "-1", "--frame-size", "60000"], input=TEXT, capture_output=True, check=True).stdout


@pytest.fixture
def archive(smll, archived):
    smll.write("f.smll", archived)
    return "f.smll"


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (["-M", "10M"], b"-M "),
        (["-M10M"], b"-M "),
        (["--memory=10M"], b"-M "),
        (["--max-output", "90K"], b"--max-output"),
        (["--max-time", "0.000001"], b"--max-time"),
    ],
)
def test_the_program_stops_and_leaves_nothing(smll, archive, limit, told):
    for action in (["-d"], ["-t"], ["-d", "--keep-going"]):
        result = smll(*action, *limit, archive, status=1)
        assert b"limit" in result.stderr and told in result.stderr
        assert not smll.path("f").exists()


def test_what_fits_is_restored(smll, archive):
    options = ["-M", "2G", "--max-output", "130000", "--max-time", "86400"]
    assert smll("-dc", *options, archive).stdout == TEXT
    assert smll("-dc", "-M", "0", "--max-output", "0", archive).stdout == TEXT
    smll("-t", "-M1G", archive)
    # As with zstd and xz: what is compressed is one's own.
    assert smll("-1", "-M", "1M", input=b"text").stdout


def test_wrong_uses_are_told(smll, archive):
    for arguments in (["--max-output", "5"], ["--max-time", "5"], ["-l", "--max-time", "5"], ["-d", "-M", "much"],
                      ["-d", "--max-time", "0"], ["-d", "--max-output", "-1"]):
        assert smll(*arguments, archive, status=2).stderr


def test_the_message_says_what_to_allow(smll, archive):
    message = smll("-t", "-M", "10M", archive, status=1).stderr.decode()
    smll("-t", "-M", message.split(" -M ")[1].split()[0], archive)


# A window of 65,536 tokens in 32 lanes, as the archive's own words have it: 29 GB with the default model.
def test_what_a_model_takes_is_known_before(smll, test_model):
    text = lines(30_000)
    arguments = ["--experts", "llm", "--model", test_model, "--window", "65536", "--lanes", "32"]
    archive = smll(*arguments, input=text).stdout
    assert b"lanes" in smll("-t", "--model", test_model, "--stats", "-", input=archive).stdout
    result = smll("-d", "--model", test_model, "-M", "1M", input=archive, status=1)
    assert b"-M " in result.stderr and result.stdout == b""


def test_python_has_the_same_limits(cache):
    for size in (2_000, 66_000):
        data = lines(size)
        small = package.Compressor(level=2).compress(data)
        for limits in ({"max_memory": 10 << 20}, {"max_seconds": 1e-6}, {"max_bytes": size - 1}):
            compressor = package.Compressor(level=2, **limits)
            with pytest.raises(package.Error, match="limit") as caught:
                compressor.decompress_bytes(small)
            assert caught.value.kind == "memory"
        assert package.Compressor(level=2, max_memory=0, max_seconds=0).decompress_bytes(small) == data
        with pytest.raises(package.Error, match="limit"):
            package.Compressor(level=2).decompress_bytes(small, max_bytes=size - 1)
        assert package.Compressor(level=2, max_bytes=10).decompress_bytes(small, max_bytes=0) == data
