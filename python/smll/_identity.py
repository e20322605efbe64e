"""What texts that name no model were compressed with, and finding it again."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, NamedTuple, Optional, Union

from . import _smll
from ._compressor import Compressor
from ._dictionary import Dictionary
from ._smll import Error

_VERSION = 1

DictionaryLike = Union[Dictionary, str, "os.PathLike[str]"]
PathLike = Union[str, "os.PathLike[str]"]


def _error(message: str, kind: str) -> Error:
    error = Error(message)
    error.kind = kind
    error.index = None
    return error


def _hex(number: int) -> str:
    return f"{number:016x}"


class Identity(NamedTuple):
    """Of a compressor, as far as restoring depends on it. Names are for people, the other fields decide.

    Attributes:
        model: the model's name.
        fingerprint: of the model, in hexadecimal digits.
        window: tokens.
        learn: whether the model learns from what it codes.
        dictionary: a dictionary's identity, in hexadecimal digits, or None.
        dictionary_name: its name, or None.
    """

    model: str
    fingerprint: str
    window: int
    learn: bool = False
    dictionary: Optional[str] = None
    dictionary_name: Optional[str] = None

    def serialize(self, **more: str) -> bytes:
        """As JSON, with further members."""
        return json.dumps({"version": _VERSION, **self._asdict(), **more}, sort_keys=True).encode()

    @classmethod
    def parse(cls, data: bytes) -> "tuple[Identity, Dict[str, Any]]":
        """What `serialize` gave, and all of its members. Raises Error of the kind "data"."""
        try:
            members = json.loads(data)
            version = members["version"]
            if version != _VERSION:
                raise _error(f"smll.text of version {version} needs a newer smll than this one", "data")
            return cls(**{name: members[name] for name in cls._fields}), members
        except (KeyError, TypeError, ValueError) as error:
            raise _error(f"the metadata of smll.text is damaged: {error!r}", "data") from None

    def same_as(self, other: "Identity") -> bool:
        return self._deciding() == other._deciding()

    def _deciding(self) -> "tuple[str, int, bool, Optional[str]]":
        return self.fingerprint, self.window, self.learn, self.dictionary


def identity_of(compressor: Compressor) -> Identity:
    """Loads its model."""
    settings = compressor._shared[0]
    if settings.backend != "exact":
        raise _error("columns are compressed with the exact backend only: llama's texts open on one machine only", "usage")
    model = compressor.model
    content = settings.dictionary
    return Identity(
        model["name"],
        _hex(model["fingerprint"]),
        model["window"],
        settings.learns,
        None if content is None else _hex(content.identity),
        None if content is None else content.name,
    )


def writer(
    compressor: Optional[Compressor], dictionary: Optional[DictionaryLike], model: Optional[PathLike]
) -> Compressor:
    """The compressor that a caller means."""
    if compressor is None:
        return Compressor(model, dictionary=dictionary)
    if dictionary is not None or model is not None:
        raise TypeError("a compressor has its model and dictionary already: give either it or these")
    return compressor


def reader(
    identity: Identity,
    compressor: Optional[Compressor],
    dictionary: Optional[DictionaryLike],
    model: Optional[PathLike],
) -> Compressor:
    """A compressor of this identity: the caller's, or what this machine has. Raises Error of the kind "model"."""
    if compressor is None:
        if dictionary is None and identity.dictionary is not None:
            dictionary = _kept(identity)
        if model is None:
            model = _smll.find_used_model(int(identity.fingerprint, 16)) or None
        compressor = Compressor(model, window=identity.window, learn=identity.learn, dictionary=dictionary, download=False)
    else:
        writer(compressor, dictionary, model)
    found = identity_of(compressor)
    if not found.same_as(identity):
        raise _error(f"the column was compressed with {_told(identity)}, and not with {_told(found)}", "model")
    return compressor


def _kept(identity: Identity) -> Dictionary:
    try:
        found = Dictionary(_smll.Dictionary.find(str(identity.dictionary).encode()).serialize())
    except Error as error:
        if error.kind != "model":
            raise
        raise _error(
            f"the column was compressed with the dictionary {identity.dictionary} ({identity.dictionary_name}), which is not kept "
            "on this machine; add its file with `smll dict add`, or name it",
            "model",
        ) from None
    return found


def _told(identity: Identity) -> str:
    text = f"the model {identity.model} (fingerprint {identity.fingerprint}, window {identity.window}"
    text += ", learning)" if identity.learn else ")"
    if identity.dictionary is not None:
        text += f" and the dictionary {identity.dictionary} ({identity.dictionary_name})"
    return text
