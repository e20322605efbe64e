"""Texts in memory."""

from __future__ import annotations

import fnmatch
import os
from typing import Optional

from . import _smll

# Lone surrogates, which Python's strings may hold, survive the way through UTF-8 with this.
_UTF8_ERRORS = "surrogatepass"


class Compressor:
    """Compresses and restores texts with one model.

    Made once and used often; may be used from many threads, which run in parallel as the interpreter's lock
    is released. The model is loaded at first use.

    Args:
        model_path: a GGUF file, a known model's name or "hf:REPO:GLOB"; None means the environment's
            SMLL_MODEL or the default model.
        level: 1 (no language model) to 9 (longest window, one lane).
        backend: "exact" (the same bits on every machine) or "llama" (any GGUF of llama.cpp).
        threads: 0 means one per core.
        experts: "all", "llm", "cm" or "cm-fast"; overrides the level's.
        lanes: contexts decoded in parallel; overrides the level's.
        window: tokens of context; overrides the level's.
        isa: "scalar", "avx2", "avx512" or "neon"; None lets the machine choose.
        download: get the default model when it is not in the cache.

    Raises:
        Error: from every method; its `kind` is "data", "usage", "model", "io" or "memory".
    """

    def __init__(
        self,
        model_path: "str | os.PathLike[str] | None" = None,
        *,
        level: int = 6,
        backend: str = "exact",
        threads: int = 0,
        experts: Optional[str] = None,
        lanes: Optional[int] = None,
        window: Optional[int] = None,
        isa: Optional[str] = None,
        download: bool = True,
    ) -> None:
        level_experts, level_lanes, level_window = _smll.level(level)
        self._experts = experts if experts is not None else level_experts
        self._lanes = lanes if lanes is not None else level_lanes
        model = os.fspath(model_path) if model_path is not None else ""
        isa = isa if isa is not None else os.environ.get("SMLL_ISA", "")
        self._model = _smll.Model(
            model=model,
            backend=backend,
            isa=isa,
            threads=threads,
            window=window if window is not None else level_window,
            download=download,
        )
        if model.endswith(".gguf") and not model.startswith("hf:"):
            _smll.find_model(model)  # a wrong path should be told here, not at the first text
        self._open = True
        self._compressor = _smll.Compressor(self._model, self._experts, self._lanes)

    @classmethod
    def from_pretrained(cls, repo_id: str, filename: str = "*.gguf", **options) -> "Compressor":
        """Use a GGUF file of the Hugging Face hub, downloading it when needed.

        Args:
            repo_id: the repository, "owner/name".
            filename: the file's name or a pattern such as "*q8_0.gguf" that fits exactly one file.
            **options: as for the constructor.
        """
        return cls(_hub_file(repo_id, filename), **options)

    def compress(self, data: "str | bytes | bytearray | memoryview") -> bytes:
        """Compress text (as UTF-8) or any bytes."""
        self._check_open()
        if isinstance(data, str):
            data = data.encode("utf-8", _UTF8_ERRORS)
        return self._compressor.compress(data)

    def decompress(self, data: "bytes | bytearray | memoryview") -> str:
        """Restore text. Raises UnicodeDecodeError when what was compressed is not UTF-8."""
        return self.decompress_bytes(data).decode("utf-8", _UTF8_ERRORS)

    def decompress_bytes(
        self, data: "bytes | bytearray | memoryview", max_bytes: int = 0
    ) -> bytes:
        """Restore bytes; refuses to give more than `max_bytes` of them when that is not 0."""
        self._check_open()
        return self._compressor.decompress(data, max_bytes)

    @property
    def model(self) -> dict:
        """What the model says about itself: name, path, fingerprint, backend, isa, arithmetic. Loads it."""
        self._check_open()
        return self._model.describe()

    def close(self) -> None:
        """Free the model. Using the compressor afterwards raises ValueError."""
        self._open = False
        self._compressor = None
        self._model = None

    def __enter__(self) -> "Compressor":
        self._check_open()
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError("the compressor is closed")


def _hub_file(repo_id: str, filename: str) -> str:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "from_pretrained needs the package huggingface_hub: pip install huggingface_hub"
        ) from error
    if not any(sign in filename for sign in "*?["):
        return huggingface_hub.hf_hub_download(repo_id, filename)
    names = huggingface_hub.list_repo_files(repo_id)
    found = sorted(name for name in names if fnmatch.fnmatch(name, filename))
    if len(found) != 1:
        what = "no file" if not found else "more than one file: " + ", ".join(found)
        raise ValueError(f"{filename!r} fits {what} of {repo_id}")
    return huggingface_hub.hf_hub_download(repo_id, found[0])
