"""Texts in memory."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type, Union

from . import _smll
from ._costs import Ablation, Guess, TokenCost
from ._engine import Engine, ModelSettings, is_of_the_parent, keep, shared_engine
from ._hub import hub_files

# Lone surrogates, which Python's strings may hold, survive the way through UTF-8 with this.
_UTF8_ERRORS = "surrogatepass"

BytesLike = Union[bytes, bytearray, memoryview]


class Compressor:
    """Compresses and restores texts with one model.

    Made once and used often; may be used from many threads, which run in parallel as the interpreter's lock
    is released. The model is loaded at first use. Pickling takes the model's path and the settings along, not the
    model, so that worker processes and data frames can hold compressors.

    Args:
        model_path: a GGUF file, a known model's name or "hf:REPO:GLOB"; None means the environment's
            SMLL_MODEL or the default model.
        level: 1 (no language model) to 9 (long window, one lane, learning).
        backend: "exact" (the same bits on every machine) or "llama" (any GGUF of llama.cpp).
        threads: 0 means one per core.
        experts: "all", "llm", "cm" or "cm-fast"; overrides the level's.
        lanes: contexts decoded in parallel, 1 to 32, or 0 for what fits the size; overrides the level's.
        window: tokens of context; overrides the level's.
        learn: let the model learn from what it codes: smaller, slower, one lane; overrides the level's.
        isa: "scalar", "avx2", "avx512", "amx" or "neon"; None lets the machine choose.
        download: get the default model when compressing needs it and it is not in the cache.
        max_bytes: refuse to restore more bytes than this at once; 0 means no limit.
        max_memory: refuse what takes more bytes of memory than this to restore, besides the model; 0 means no limit,
            None 4 GiB, which is twice what is made with the default model at any level.
        max_seconds: give up restoring after this time; 0 means no limit.

    The last three are for data that comes from others, which may be made to cost much: what passes a limit raises
    Error of the kind "memory". They count for the files that are opened with the compressor, too.

    Raises:
        Error: from every method; its `kind` is "data", "usage", "model", "io" or "memory".
    """

    def __init__(
        self,
        model_path: Union[str, "os.PathLike[str]", None] = None,
        *,
        level: int = 6,
        backend: str = "exact",
        threads: int = 0,
        experts: Optional[str] = None,
        lanes: Optional[int] = None,
        window: Optional[int] = None,
        learn: Optional[bool] = None,
        isa: Optional[str] = None,
        download: bool = True,
        max_bytes: int = 0,
        max_memory: Optional[int] = None,
        max_seconds: float = 0,
    ) -> None:
        self._options: Dict[str, Any] = {
            "level": level,
            "backend": backend,
            "threads": threads,
            "experts": experts,
            "lanes": lanes,
            "window": window,
            "learn": learn,
            "isa": isa,
            "download": download,
            "max_bytes": max_bytes,
            "max_memory": max_memory,
            "max_seconds": max_seconds,
        }
        self._limits = (max_bytes, _smll.DEFAULT_MAX_MEMORY if max_memory is None else max_memory, max_seconds)
        level_experts, level_lanes, level_window, level_learn = _smll.level(level, backend, lanes)
        self._spec = os.fsdecode(model_path) if model_path is not None else ""
        settings = ModelSettings(
            model=self._spec,
            backend=backend,
            isa=isa if isa is not None else os.environ.get("SMLL_ISA", ""),
            threads=threads,
            window=window if window is not None else level_window,
            learns=learn if learn is not None else level_learn,
            download=download,
        )
        if self._spec.endswith(".gguf") and not self._spec.startswith("hf:"):
            _smll.find_model(os.fsencode(self._spec))  # a wrong path should be told here, not at the first text
        self._shared = (settings, experts if experts is not None else level_experts, level_lanes)
        self._engine: Optional[Engine] = shared_engine(*self._shared)

    @classmethod
    def from_pretrained(
        cls,
        repo_id: str,
        filename: str = "*.gguf",
        additional_files: Optional[List[str]] = None,
        **options: Any,
    ) -> "Compressor":
        """Use a GGUF file of the Hugging Face hub, downloading it when it is not in the hub's cache.

        Args:
            repo_id: the repository, "owner/name".
            filename: the file's name or a pattern such as "*q8_0.gguf" that fits exactly one file.
            additional_files: names or patterns of further files to download, one file each.
            **options: as for the constructor.

        Raises:
            ValueError: a pattern fits no file, or more than one.
            ImportError: huggingface_hub is not installed.
        """
        return cls(hub_files(repo_id, [filename, *(additional_files or [])])[0], **options)

    def compress(self, data: Union[str, BytesLike]) -> bytes:
        """Compress text (as UTF-8) or any bytes.

        Up to 65,535 bytes become a form that names no model and adds 2 bytes to the coded text; more becomes what a
        file would hold.
        """
        engine = self._open_engine()
        return engine.compressor.compress(_encoded(data))

    def decompress(self, data: BytesLike) -> str:
        """Restore text. Raises UnicodeDecodeError when what was compressed is not UTF-8."""
        return self.decompress_bytes(data).decode("utf-8", _UTF8_ERRORS)

    def decompress_bytes(self, data: BytesLike, max_bytes: Optional[int] = None) -> bytes:
        """Restore bytes; `max_bytes` overrides the compressor's."""
        limits = self._limits if max_bytes is None else (max_bytes, *self._limits[1:])
        return self._open_engine().compressor.decompress(data, limits)

    def explain(self, data: Union[str, BytesLike], guesses: int = 5) -> List[TokenCost]:
        """What each token of a text of up to 1 MiB costs, in order, with the model's best guesses at its place."""
        return [
            TokenCost(*cost[:5], tuple(Guess(*guess) for guess in cost[5]))
            for cost in _smll.explain(self._open_engine().model, _encoded(data), guesses)
        ]

    def ablate(self, data: Union[str, BytesLike]) -> Ablation:
        """What a text of up to 1 MiB costs with each expert beside the language model left out."""
        return Ablation(*_smll.ablate(self._open_engine().model, _encoded(data)))

    @property
    def model(self) -> Dict[str, Any]:
        """What the model says about itself: name, path, fingerprint, backend, isa, arithmetic. Loads it."""
        return self._open_engine().model.describe()

    @property
    def model_path(self) -> str:
        """The model's file. Loads it."""
        return str(self.model["path"])

    def close(self) -> None:
        """Let go of the model, which is freed once nothing else in the process uses it: no other compressor with the
        same settings, no open file and no call in progress. Using the compressor afterwards raises ValueError; closing
        it again does nothing."""
        self._engine = None

    def _open_engine(self) -> Engine:
        engine = self._engine
        if engine is None:
            raise ValueError("the compressor is closed")
        if is_of_the_parent(engine):
            engine = self._engine = shared_engine(*self._shared)
        return engine

    def __enter__(self) -> "Compressor":
        self._open_engine()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        self._open_engine()
        return _unpickle, (type(self), self._spec or None, self._options)


def _encoded(data: Union[str, BytesLike]) -> BytesLike:
    return data.encode("utf-8", _UTF8_ERRORS) if isinstance(data, str) else data


def _unpickle(kind: Type[Compressor], spec: Optional[str], options: Dict[str, Any]) -> Compressor:
    compressor = kind(spec, **options)
    # A pool's worker unpickles one for each item and lets go of it at once.
    keep(compressor._open_engine())
    return compressor
