"""Data that repeats what lies farther back than a frame was twice as large as zstd makes it: each frame knew itself only."""

import base64
import shutil
import subprocess

import pytest
from conftest import lines, noise

# What the container and the choice of a method may add.
HEADERS = 64


def zstd_size(data):
    assert shutil.which("zstd"), "zstd is not installed: scripts/setup"
    return len(subprocess.run(["zstd", "-19", "--long", "-c", "-q"], input=data, capture_output=True, check=True).stdout)


def program(binary):
    with open(binary, "rb") as file:
        return file.read(60_000)


def mixed(binary):
    return lines(40_000) + program(binary)


CASES = {
    "base64 twice": ("-1", lambda binary: base64.encodebytes(noise(1_600_000)) * 2),
    "noise twice": ("-6", lambda binary: noise(1_200_000) * 2),
    "little of much": ("-1", lambda binary: noise(40_000, 1) + noise(4_300_000, 2) + noise(40_000, 1)),
    "lines, a program, noise, both again": ("-1", lambda binary: mixed(binary) + noise(4_200_000) + mixed(binary)),
}


@pytest.mark.parametrize("name", CASES)
def test_never_larger_than_zstd(smll, binary, test_model, name):
    level, make = CASES[name]
    data = make(binary)
    archive = smll(level, "--model", test_model, "-c", input=data).stdout
    assert smll("-dc", "--model", test_model, input=archive).stdout == data
    assert len(archive) <= zstd_size(data) + HEADERS


def test_data_without_repeats_has_frames_as_ever(smll):
    data = noise(2_500_000)
    archive = smll("-2", "-c", input=data).stdout
    frames = [line.split("bytes ")[1].split()[0] for line in smll("-lv", input=archive).stdout.decode().splitlines()[2:]]
    assert frames == ["0..1048576", "1048576..2097152", "2097152..2500000"]


def test_a_frame_size_is_kept(smll):
    """Who asks for small frames gets no large one, whatever repeats."""
    data = noise(300_000) * 2
    archive = smll("-1", "--frame-size", "200000", "-c", input=data).stdout
    assert smll("-l", input=archive).stdout.splitlines()[1].split()[3] == b"3"
