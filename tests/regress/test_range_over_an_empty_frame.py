"""A range that begins behind an empty frame read memory that was not there: the length of the part to give
wrapped around below 0, and smll ended with SIGSEGV."""

import pytest

RANGES = {"5:5": b"56789", "0:3": b"012", "9:": b"9", "10:5": b"", "0:0": b"", "1000:1": b""}


@pytest.mark.parametrize("bounds", ["5:5", "0:0", "0:5", "1:"])
def test_an_empty_file_has_no_bytes_in_any_range(smll, bounds):
    smll.write("e", b"")
    smll("-1", "e")
    assert smll("-dc", "--range", bounds, "e.smll").stdout == b""
    assert smll("-dc", "--range", bounds, input=smll.path("e.smll").read_bytes()).stdout == b""


@pytest.mark.parametrize("bounds", RANGES)
def test_an_empty_archive_in_front_shifts_nothing(smll, bounds):
    empty, digits = smll("-1", input=b"").stdout, smll("-1", input=b"0123456789").stdout
    for joined in (empty + digits, digits + empty, empty + empty + digits + empty):
        smll.write("j.smll", joined)
        assert smll("-dc", "--range", bounds, "j.smll").stdout == RANGES[bounds]
        assert smll("-dc", "--range", bounds, input=joined).stdout == RANGES[bounds]
