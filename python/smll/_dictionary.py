"""What texts of one kind have in common, known before the first byte of each."""

from __future__ import annotations

import os
from typing import Tuple, Type, Union

from . import _smll
from ._text import BytesLike


class Dictionary:
    """A dictionary that was read; equal to every other one of the same identity.

    Raises:
        Error: its `kind` is "io" where a file cannot be read, "data" where it is damaged, and "model" where nothing of a
            name is here.
    """

    def __init__(self, data: BytesLike) -> None:
        """From the bytes of a dictionary's file."""
        self._content = _smll.Dictionary(bytes(data))

    @classmethod
    def load(cls, path: Union[str, "os.PathLike[str]"]) -> "Dictionary":
        """A dictionary's file or, as text that stands before every text, any other one."""
        return cls._of(_smll.Dictionary.load(os.fsencode(path)))

    @classmethod
    def _of(cls, content: _smll.Dictionary) -> "Dictionary":
        dictionary = cls.__new__(cls)
        dictionary._content = content
        return dictionary

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write a dictionary's file."""
        self._content.save(os.fsencode(path))

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
