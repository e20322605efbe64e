"""With standard streams closed, the files that the program opened took their numbers, and messages landed in the output.
A standard stream that cannot be written to ended the program with an abort, or was taken for written."""

import subprocess

import pytest
from conftest import noise


@pytest.fixture
def damaged(smll):
    """Its decoding says something about the damage while the output is open."""
    smll.write("f", noise(100_000))
    smll("-1", "--frame-size", "10000", "f", "-o", "a")
    archive = bytearray(smll.path("a").read_bytes())
    archive[25_000] ^= 1
    smll.write("a", bytes(archive))
    return noise(100_000)[:20_000] + noise(100_000)[30_000:]


def run(smll, redirections, *arguments):
    command = f'exec "$@" {redirections}'
    return subprocess.run(["sh", "-c", command, "sh", smll.binary, *arguments], cwd=smll.directory,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "0<&- 2>&-", "0<&- 1>&-", "0<&-", "1>&-"])
def test_closed_streams(smll, damaged, closed):
    result = run(smll, closed, "-d", "--keep-going", "a", "-o", "out")
    assert result.returncode == 1
    assert smll.path("out").read_bytes() == damaged
    assert result.stdout == b""
    if "2>" not in closed:
        assert b"frame" in result.stderr


def test_closed_standard_input_is_not_an_empty_one(smll):
    assert b"standard input" in run(smll, "0<&-", "-1", "-o", "out").stderr
    assert not smll.path("out").exists()


@pytest.mark.parametrize("arguments", [["-1", "-c", "f"], ["-l", "a"], ["-t", "f", "--stats", "-"], ["--help"],
                                       ["--version"], ["models"], ["models", "--help"]])
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_standard_output_that_cannot_be_written(smll, arguments, redirection):
    smll.write("f", b"text")
    smll("-1", "f", "-o", "a")
    result = run(smll, redirection, *arguments)
    assert result.returncode == 1 and b"standard output" in result.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_standard_error_that_cannot_be_written(smll, damaged, redirection):
    assert run(smll, redirection, "-d", "--keep-going", "--progress", "a", "-o", "out").returncode == 1
    assert smll.path("out").read_bytes() == damaged
    assert run(smll, redirection, "-1", "nothing").returncode == 1
    assert run(smll, redirection, "--no-such-option").returncode == 2


def test_subcommands_in_python(smll, monkeypatch):
    """The interpreter finds them in place as well."""
    interpreter = smll.write("python", b"#!/bin/sh\nfor i in 0 1 2; do [ -e /proc/$$/fd/$i ] || exit 41; done; exit 42\n")
    interpreter.chmod(0o755)
    monkeypatch.setenv("SMLL_PYTHON", str(interpreter))
    assert run(smll, "0<&- 1>&- 2>&-", "bench").returncode == 42
