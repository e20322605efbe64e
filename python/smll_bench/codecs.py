"""The compressors of the tables."""

from __future__ import annotations

import bz2
import gzip
import lzma
from typing import Callable, List, NamedTuple, Optional

from smll import Compressor

from .original import Original

Transform = Callable[[bytes], bytes]


class Codec(NamedTuple):
    """A column. `slow` ones are timed once, others several times."""

    name: str
    compress: Transform
    decompress: Transform
    slow: bool = False
    largest: int = 1 << 30  # bytes; longer texts would take hours


def _smll(name: str, experts: str, model: Optional[str]) -> Codec:
    compressor = Compressor(model, experts=experts)
    return Codec(name, compressor.compress, compressor.decompress_bytes, slow=True)


def _zstd() -> List[Codec]:
    try:
        import zstandard
    except ImportError:
        return []
    return [
        Codec(
            "zstd -19",
            lambda data: bytes(zstandard.ZstdCompressor(level=19).compress(data)),
            lambda data: bytes(zstandard.ZstdDecompressor().decompress(data)),
        )
    ]


def _brotli() -> List[Codec]:
    try:
        import brotli
    except ImportError:
        return []
    return [Codec("brotli 11", lambda data: bytes(brotli.compress(data, quality=11)),
                  lambda data: bytes(brotli.decompress(data)))]  # fmt: skip


def codecs(model: Optional[str] = None, original: Optional[Original] = None) -> List[Codec]:
    """All columns that can be had here, smll's own first. `model` as for `Compressor`."""
    found = [
        _smll("smll", "all", model),
        _smll("smll llm", "llm", model),
        _smll("smll cm", "cm", model),
    ]
    if original is not None:
        found.append(Codec("original", original.compress, original.decompress, True, 4000))
    found += [
        Codec("gzip -9", lambda data: gzip.compress(data, 9), gzip.decompress),
        Codec("bz2 -9", lambda data: bz2.compress(data, 9), bz2.decompress),
        *_zstd(),
        Codec("xz -9e", lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
        *_brotli(),
    ]
    return found


def missing() -> List[str]:
    """What to install for the columns that are not there."""
    return [name for name, found in (("zstandard", _zstd()), ("brotli", _brotli())) if not found]
