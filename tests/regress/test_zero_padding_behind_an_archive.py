"""Zero bytes behind an archive (tapes, disk images, preallocated files) made smll refuse it and remove its output;
gzip and xz take them for padding."""

import io

import pytest
from conftest import lines

import smll as package

DATA = lines(30_000)


@pytest.fixture(params=["a single frame", "frames"])
def archive(smll, request):
    options = ["--frame-size", "10000"] if request.param == "frames" else []
    return smll("-1", *options, input=DATA).stdout


@pytest.mark.parametrize("size", [1, 511, 200_000])
def test_it_is_passed_over_with_a_warning(smll, archive, size):
    smll.write("f.smll", archive + bytes(size))
    for arguments in (["-d", "f.smll"], ["-t", "f.smll"], ["-l", "f.smll"], ["-dc", "f.smll"]):
        result = smll(*arguments)
        assert b"%d zero bytes" % size in result.stderr and b"ignored" in result.stderr
        assert smll("-q", "-f", *arguments).stderr == b""
    assert smll.path("f").read_bytes() == DATA
    assert smll("-dc", "f.smll").stdout == DATA
    for arguments in (["-d"], ["-t"], ["-l"]):
        result = smll(*arguments, input=archive + bytes(size))
        assert b"standard input" in result.stderr and b"zero bytes" in result.stderr
    assert smll("-d", input=archive + bytes(size)).stdout == DATA


def test_it_may_stand_between_archives(smll, archive):
    joined = archive + bytes(5) + archive + bytes(1000) + archive
    assert smll("-d", input=joined).stdout == 3 * DATA
    smll.write("j.smll", joined)
    assert smll("-dc", "--range", "30000:30000", "j.smll").stdout == DATA


def test_other_bytes_are_refused_as_before(smll, archive):
    for rest in (b"x", bytes(100) + b"x", bytes(100) + b"\xf3m", b"\n"):
        assert b"follow" in smll("-d", input=archive + rest, status=1).stderr


def test_zeros_alone_are_no_archive(smll):
    assert b"not an smll archive" in smll("-d", input=bytes(1000), status=1).stderr


def test_frames_in_front_of_it_are_salvaged_through_the_index(smll):
    archive = bytearray(smll("-1", "--frame-size", "10000", input=DATA).stdout)
    archive[len(archive) // 3 : len(archive) // 3 + 4] = b"\xff\xff\xff\xff"
    for tail in (b"", bytes(4096)):
        smll.write("d.smll", bytes(archive) + tail)
        assert len(smll("-dc", "--keep-going", "d.smll", status=1).stdout) >= 20_000


def test_python_reads_it_too(cache, archive):
    compressor = package.Compressor(level=1)
    assert compressor.decompress_bytes(archive + bytes(77)) == DATA
    with package.open(io.BytesIO(archive + bytes(77)), compressor=compressor) as file:
        assert file.read() == DATA
