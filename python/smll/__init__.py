"""smll compresses text with a language model.

    >>> import smll
    >>> small = smll.compress("It is a truth universally acknowledged")
    >>> smll.decompress(small)
    'It is a truth universally acknowledged'

The first call loads the default model (compressing gets it, once, when it is not in the cache). A `Compressor` holds
another model and takes many texts at once; `smll.open` reads and writes files as `gzip.open` does.
"""

from __future__ import annotations

import threading
from typing import Optional, Union

from . import _fsspec, _smll
from ._compressor import Compressor
from ._costs import Ablation, Guess, TokenCost
from ._dictionary import Dictionary, TrainGain
from ._file import SmllFile, open  # noqa: A004 (the name is gzip's)
from ._smll import Error
from ._text import BytesLike

__version__ = _smll.__version__
__all__ = [
    "Ablation",
    "Compressor",
    "Dictionary",
    "Error",
    "Guess",
    "SmllFile",
    "TokenCost",
    "TrainGain",
    "compress",
    "decompress",
    "decompress_bytes",
    "open",
]

_default: Optional[Compressor] = None
_default_lock = threading.Lock()


def _default_compressor() -> Compressor:
    global _default
    with _default_lock:
        if _default is None:
            _default = Compressor()
        return _default


def compress(data: Union[str, BytesLike]) -> bytes:
    """Compress with the default model. Text is encoded as UTF-8."""
    return _default_compressor().compress(data)


def decompress(data: BytesLike) -> str:
    """Restore the text that `compress` was given."""
    return _default_compressor().decompress(data)


def decompress_bytes(data: BytesLike) -> bytes:
    """Restore the bytes that `compress` was given, be they text or not."""
    return _default_compressor().decompress_bytes(data)


_fsspec.register()
