"""Text and bytes, as callers give them and as they are compressed."""

from __future__ import annotations

from typing import Union

# Lone surrogates, which Python's strings may hold, survive the way through UTF-8 with this.
_UTF8_ERRORS = "surrogatepass"

BytesLike = Union[bytes, bytearray, memoryview]


def encoded(data: Union[str, BytesLike]) -> BytesLike:
    return data.encode("utf-8", _UTF8_ERRORS) if isinstance(data, str) else data


def decoded(data: bytes) -> str:
    """Raises UnicodeDecodeError for what is not UTF-8."""
    return data.decode("utf-8", _UTF8_ERRORS)
