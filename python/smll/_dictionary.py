"""What texts of one kind have in common, known before the first byte of each."""

from __future__ import annotations

import os
from typing import Callable, Iterable, NamedTuple, Optional, Tuple, Type, Union

from . import _many, _smll
from ._engine import ModelSettings, shared_engine
from ._text import BytesLike

_LEVEL = 6  # whose window is the one that openings are chosen for


class TrainGain(NamedTuple):
    """What a dictionary gains on records that had no part in its making."""

    records: int  # that were given and are not empty
    measured: int  # of them
    raw_bytes: int  # of the measured ones, of each as far as it was measured
    bytes_without: float  # that they are coded in, without what a form adds
    bytes_with: float


class Dictionary:
    """A dictionary that was read or made; equal to every other one of the same identity.

    Attributes:
        gain: what it gains, where `train` made it; else None.

    Raises:
        Error: its `kind` is "io" where a file cannot be read, "data" where it is damaged, and "model" where nothing of a
            name is here.
    """

    gain: Optional[TrainGain] = None

    def __init__(self, data: BytesLike) -> None:
        """From the bytes of a dictionary's file."""
        self._content = _smll.Dictionary(bytes(data))

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"]) -> "Dictionary":
        """A dictionary's file or, as text that stands before every text, any other one."""
        return cls._of(_smll.Dictionary.load(os.fsencode(path)))

    @classmethod
    def find(cls, name: Union[str, "os.PathLike[str]"]) -> "Dictionary":
        """As `load`, or, where no file is called so, the one that the cache keeps of this name or identity."""
        return cls._of(_smll.Dictionary.find(os.fsencode(name)))

    @classmethod
    def train(
        cls,
        samples: Iterable[Union[str, BytesLike]],
        *,
        model_path: Union[str, "os.PathLike[str]", None] = None,
        name: str = "",
        size: Optional[int] = None,
        sample_size: int = 128 << 10,
        minutes: float = 2,
        adapter: bool = False,
        lora: Union[str, "os.PathLike[str]", None] = None,
        lora_scale: float = 1,
        threads: int = 0,
        progress: Optional[Callable[[int, int], object]] = None,
    ) -> "Dictionary":
        """Make a dictionary of samples of one kind: lines, messages, small files. The same for the same arguments.

        Args:
            samples: 8 or more, whole; a line end is put behind one that has none.
            model_path: the model that it is for, as for a Compressor.
            name: for people.
            size: most bytes of the opening, the text that stands, as it were, before every text: 64 to 16,384; None
                means what about 1,000 tokens have.
            sample_size: most bytes that the context models read before it, up to 1 MiB.
            minutes: how much is tried: what two cores do in so many minutes.
            adapter: let the model's weights learn as well, for so many minutes more; adds 1 to 3 MB.
            lora: a LoRA file of the model (GGUF, as llama.cpp has them) that is the adapter instead.
            lora_scale: what it is multiplied by.
            threads: 0 means one per core.
            progress: called in this thread now and then with the tokens that were read, and how many there are in all;
                what it raises ends the call.

        Raises:
            Error: of the kind "data" where there are too few samples, "usage" for arguments out of range, "model".
        """
        experts, lanes, window, _ = _smll.level(_LEVEL, "exact", None)
        settings = ModelSettings(
            model=os.fsdecode(model_path) if model_path is not None else "",
            backend="exact",
            isa=os.environ.get("SMLL_ISA", ""),
            device=os.environ.get("SMLL_DEVICE", ""),
            threads=threads,
            window=window,
            learns=False,
            download=True,
            dictionary=None,
        )
        engine = shared_engine(settings, experts, lanes)
        content, gain = _smll.Dictionary.train(
            list(_many.texts_of(samples)),
            engine.model,
            os.fsencode(name),
            0 if size is None else size,
            sample_size,
            minutes,
            adapter,
            os.fsencode(lora) if lora is not None else b"",
            lora_scale,
            progress,
        )
        dictionary = cls._of(content)
        dictionary.gain = TrainGain(*gain)
        return dictionary

    @classmethod
    def _of(cls, content: _smll.Dictionary) -> "Dictionary":
        dictionary = cls.__new__(cls)
        dictionary._content = content
        return dictionary

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write a dictionary's file."""
        self._content.save(os.fsencode(path))

    def keep(self) -> str:
        """Keep it in the cache, where reading finds it by its identity, as `smll dict add` does; gives its path there."""
        return self._content.keep()

    @property
    def opening_size(self) -> int:
        """Bytes of the text that stands, as it were, before every text."""
        return self._content.sizes[0]

    @property
    def sample_size(self) -> int:
        """Bytes that the context models read before it."""
        return self._content.sizes[1]

    @property
    def identity(self) -> int:
        """Of all that coding depends on; files name it, and are only read with the same one."""
        return self._content.identity

    @property
    def name(self) -> str:
        """For people."""
        return self._content.name

    def __bytes__(self) -> bytes:
        return self._content.serialize()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dictionary) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        return f"<smll.Dictionary {self.name!r} {self.identity:016x}>"

    def __reduce__(self) -> Tuple[Type["Dictionary"], Tuple[bytes]]:
        return Dictionary, (bytes(self),)


def content_of(dictionary: Union[Dictionary, str, "os.PathLike[str]"]) -> _smll.Dictionary:
    if isinstance(dictionary, Dictionary):
        return dictionary._content
    return _smll.Dictionary.find(os.fsencode(dictionary))
