"""Frames of methods 3 and 6 could claim 16 MiB, though no writer makes them of more than 1 MiB: 60 bytes took minutes
to decompress."""

import pytest


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("method", [3, 6])
def test_it_is_refused_before_it_is_decoded(smll, method):
    # One of the checks fits.
    start = b"\xf3ml\x81" + bytes([method]) + varint((1 << 20) + 1) + varint(40) + bytes(4)
    for check in range(256):
        archive = start + bytes([check]) + bytes(40)
        assert b"over the format's limit" in smll("-l", input=archive, status=1).stderr
    for arguments in (["-d"], ["-t"]):
        assert b"over the format's limit" in smll(*arguments, input=archive, status=1).stderr
