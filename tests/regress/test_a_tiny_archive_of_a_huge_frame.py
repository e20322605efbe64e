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
    names = [f"{check:02x}.smll" for check in range(256)]
    for check, name in enumerate(names):
        smll.write(name, start + bytes([check]) + bytes(40))
    for arguments in (["-l"], ["-d"], ["-t"]):
        assert smll(*arguments, *names, status=1).stderr.count(b"over the format's limit") == 256
