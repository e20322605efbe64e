"""Texts in memory."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Dict, Iterable, Iterator, List, Literal, Optional, Tuple, Type, Union, overload

from . import _many, _smll
from ._costs import Ablation, Guess, TokenCost
from ._dictionary import Dictionary, content_of
from ._engine import Engine, Limits, ModelSettings, is_of_the_parent, keep, shared_engine
from ._hub import hub_files
from ._many import Errors, ItemError, Progress, Results
from ._smll import Error
from ._text import BytesLike, decoded, encoded


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
        device: "cpu", "cuda" or "cuda:N", an NVIDIA GPU, or "auto", a GPU where there is one; None means the
            environment's SMLL_DEVICE or "cpu". What is made is the same.
        download: get the default model when compressing needs it and it is not in the cache.
        dictionary: what every text begins with, as it were: a Dictionary, or the path of its file or of any text, or
            its name or identity where `smll dict` keeps it. Texts are restored with the same one; files name theirs.
        max_bytes: refuse to restore more bytes than this at once; 0 means no limit.
        max_memory: refuse what takes more bytes of memory than this to restore, besides the model; 0 means no limit,
            None 4 GiB, which is twice what is made with the default model at any level.
        max_seconds: give up restoring after this time; 0 means no limit.

    The last three are for data that comes from others, which may be made to cost much: what passes a limit raises
    Error of the kind "memory". They count for the files that are opened with the compressor, too.

    Raises:
        Error: from every method; its `kind` is "data", "usage", "model", "io" or "memory", and its `index` the item's
            number where many were given, else None.
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
        device: Optional[str] = None,
        download: bool = True,
        dictionary: Union["Dictionary", str, "os.PathLike[str]", None] = None,
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
            "device": device,
            "download": download,
            "dictionary": dictionary,
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
            device=device if device is not None else os.environ.get("SMLL_DEVICE", ""),
            threads=threads,
            window=window if window is not None else level_window,
            learns=learn if learn is not None else level_learn,
            download=download,
            dictionary=None if dictionary is None else content_of(dictionary),
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

        Up to 65,535 bytes become a form that names no model and no dictionary and adds 1 byte to what the model codes, 2
        to what needs none; more becomes what a file would hold.
        """
        engine = self._open_engine()
        return engine.compressor.compress(encoded(data))

    def decompress(self, data: BytesLike) -> str:
        """Restore text. Raises UnicodeDecodeError when what was compressed is not UTF-8."""
        return decoded(self.decompress_bytes(data))

    def decompress_bytes(self, data: BytesLike, max_bytes: Optional[int] = None) -> bytes:
        """Restore bytes; `max_bytes` overrides the compressor's."""
        return self._open_engine().compressor.decompress(data, self._limits_with(max_bytes))

    @overload
    def compress_many(
        self,
        texts: Iterable[Union[str, BytesLike]],
        *,
        errors: Literal["raise"] = "raise",
        progress: Optional[Progress] = None,
    ) -> List[bytes]: ...

    @overload
    def compress_many(
        self,
        texts: Iterable[Union[str, BytesLike]],
        *,
        errors: Literal["return"],
        progress: Optional[Progress] = None,
    ) -> List[Union[bytes, Error]]: ...

    def compress_many(
        self, texts: Iterable[Union[str, BytesLike]], *, errors: Errors = "raise", progress: Optional[Progress] = None
    ) -> List[Any]:
        """Compress many texts at once: what `compress` gives for each, in order.

        Args:
            texts: the texts; all are held in memory. `iter_compress` is for more.
            errors: "raise" raises the Error of the first item that failed once all are done; with "return" the Error
                stands in its item's place. Its `index` says which item it is, counted from 0. An item of a wrong type
                raises TypeError either way, before anything is compressed.
            progress: called in this thread, now and then and at last, with the number of items that are done and the
                bytes that were given of them; what it raises ends the call.
        """
        _many.check_errors(errors)
        return list(_many.placed(self._compress_many(_many.texts_of(texts), progress), errors))

    @overload
    def decompress_many(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Literal["raise"] = "raise",
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[str]: ...

    @overload
    def decompress_many(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Literal["return"],
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[Union[str, ItemError]]: ...

    def decompress_many(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Errors = "raise",
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[Any]:
        """Restore many texts at once: what `decompress` gives for each, in order.

        The arguments are those of `compress_many`; the bytes that progress is told are compressed ones. A failed item
        hurts none of the others, and limits count for each item by itself; `max_bytes` overrides the compressor's. An
        item that is not UTF-8 fails with UnicodeDecodeError.
        """
        _many.check_errors(errors)
        results = self._decompress_many(_many.archives_of(archives), max_bytes, progress)
        return list(_many.placed_text(results, errors))

    @overload
    def decompress_many_bytes(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Literal["raise"] = "raise",
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[bytes]: ...

    @overload
    def decompress_many_bytes(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Literal["return"],
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[Union[bytes, Error]]: ...

    def decompress_many_bytes(
        self,
        archives: Iterable[BytesLike],
        *,
        errors: Errors = "raise",
        max_bytes: Optional[int] = None,
        progress: Optional[Progress] = None,
    ) -> List[Any]:
        """Restore the bytes of many items at once, as `decompress_many` does text."""
        _many.check_errors(errors)
        results = self._decompress_many(_many.archives_of(archives), max_bytes, progress)
        return list(_many.placed(results, errors))

    @overload
    def iter_compress(
        self, texts: Iterable[Union[str, BytesLike]], *, errors: Literal["raise"] = "raise"
    ) -> Iterator[bytes]: ...

    @overload
    def iter_compress(
        self, texts: Iterable[Union[str, BytesLike]], *, errors: Literal["return"]
    ) -> Iterator[Union[bytes, Error]]: ...

    def iter_compress(
        self, texts: Iterable[Union[str, BytesLike]], *, errors: Errors = "raise"
    ) -> Iterator[Union[bytes, Error]]:
        """Compress any number of texts with bounded memory: gives what `compress_many` would, in order.

        Takes up to 256 texts or 4 MiB from `texts` before it gives the first of them, and no more until they are given.
        What `texts` raises comes out behind the results of what it gave before.
        """
        _many.check_errors(errors)
        ahead = self._compress_ahead(texts)
        return (each for first, results in ahead for each in _many.placed(results, errors, first))

    @overload
    def iter_decompress(
        self, archives: Iterable[BytesLike], *, errors: Literal["raise"] = "raise", max_bytes: Optional[int] = None
    ) -> Iterator[str]: ...

    @overload
    def iter_decompress(
        self, archives: Iterable[BytesLike], *, errors: Literal["return"], max_bytes: Optional[int] = None
    ) -> Iterator[Union[str, ItemError]]: ...

    def iter_decompress(
        self, archives: Iterable[BytesLike], *, errors: Errors = "raise", max_bytes: Optional[int] = None
    ) -> Iterator[Union[str, ItemError]]:
        """Restore any number of texts, as `iter_compress` compresses them: gives what `decompress_many` would.

        What up to 256 items or 4 MiB were compressed from is in memory at once; `max_bytes` limits each.
        """
        _many.check_errors(errors)
        ahead = self._decompress_ahead(archives, max_bytes)
        return (each for first, results in ahead for each in _many.placed_text(results, errors, first))

    @overload
    def iter_decompress_bytes(
        self, archives: Iterable[BytesLike], *, errors: Literal["raise"] = "raise", max_bytes: Optional[int] = None
    ) -> Iterator[bytes]: ...

    @overload
    def iter_decompress_bytes(
        self, archives: Iterable[BytesLike], *, errors: Literal["return"], max_bytes: Optional[int] = None
    ) -> Iterator[Union[bytes, Error]]: ...

    def iter_decompress_bytes(
        self, archives: Iterable[BytesLike], *, errors: Errors = "raise", max_bytes: Optional[int] = None
    ) -> Iterator[Union[bytes, Error]]:
        """Restore the bytes of any number of items, as `iter_decompress` does text."""
        _many.check_errors(errors)
        ahead = self._decompress_ahead(archives, max_bytes)
        return (each for first, results in ahead for each in _many.placed(results, errors, first))

    def explain(self, data: Union[str, BytesLike], guesses: int = 5) -> List[TokenCost]:
        """What each token of a text of up to 1 MiB costs, in order, with the model's best guesses at its place."""
        return [
            TokenCost(*cost[:5], tuple(Guess(*guess) for guess in cost[5]))
            for cost in _smll.explain(self._open_engine().model, encoded(data), guesses)
        ]

    def ablate(self, data: Union[str, BytesLike]) -> Ablation:
        """What a text of up to 1 MiB costs with each expert beside the language model left out."""
        return Ablation(*_smll.ablate(self._open_engine().model, encoded(data)))

    @property
    def model(self) -> Dict[str, Any]:
        """What is known of the model: name, path, fingerprint, backend, isa, device, arithmetic, window, can_learn; architecture,
        type, licence, terms, source, size in bytes, parameters, vocabulary and trained_context in tokens ("" or 0 where
        its file does not say). Loads it."""
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

    def _compress_many(self, texts: Iterable[bytes], progress: Optional[Progress]) -> Results:
        engine = self._open_engine()
        return engine.compressor.compress_many(list(texts), progress)

    def _decompress_many(
        self, archives: Iterable[bytes], max_bytes: Optional[int], progress: Optional[Progress]
    ) -> Results:
        engine = self._open_engine()
        return engine.compressor.decompress_many(list(archives), self._limits_with(max_bytes), progress)

    def _compress_ahead(self, texts: Iterable[Union[str, BytesLike]]) -> Iterator[Tuple[int, Results]]:
        self._open_engine()
        return _many.ahead(_many.texts_of(texts), lambda part: self._compress_many(part, None))

    def _decompress_ahead(
        self, archives: Iterable[BytesLike], max_bytes: Optional[int]
    ) -> Iterator[Tuple[int, Results]]:
        self._open_engine()
        return _many.ahead(_many.archives_of(archives), lambda part: self._decompress_many(part, max_bytes, None))

    def _limits_with(self, max_bytes: Optional[int]) -> Limits:
        return self._limits if max_bytes is None else (max_bytes, *self._limits[1:])

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


def _unpickle(kind: Type[Compressor], spec: Optional[str], options: Dict[str, Any]) -> Compressor:
    compressor = kind(spec, **options)
    # A pool's worker unpickles one for each item and lets go of it at once.
    keep(compressor._open_engine())
    return compressor
