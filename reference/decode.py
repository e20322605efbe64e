"""Restores what smll wrote: python -m reference FILE [--model MODEL.gguf] [-D DICTIONARY] > TEXT"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reference import compact, container, dictionary
from reference.errors import Damaged, WrongModel
from reference.model import LEARNING_VERSION, Model, ModelFile


def file_bytes(data: bytes, model: str | None, dictionary_file: bytes | None) -> bytes:
    """The text of a file. The archive says which window, and whether the model learns."""
    loaded: dict[container.ModelRecord, Model] = {}

    def find(record: container.ModelRecord) -> Model:
        if record not in loaded:
            loaded[record] = model_of(record, model, dictionary_file)
        return loaded[record]

    return container.read_file(data, find)


def model_of(record: container.ModelRecord, path: str | None, dictionary_file: bytes | None) -> Model:
    if record.llama:
        raise WrongModel("the archive was written with llama.cpp, whose results nobody can repeat")
    if path is None:
        raise WrongModel(f"the archive needs the model {record.name}: --model")
    given = dictionary.parse(dictionary_file) if record.dictionary is not None and dictionary_file is not None else None
    if record.dictionary is not None and (given is None or given.identity() != record.dictionary):
        raise WrongModel(f"the archive needs the dictionary {record.dictionary_name} {record.dictionary:016x}: -D")
    learns = record.arithmetic == LEARNING_VERSION
    model = Model(ModelFile(path), record.window, learns, given)
    if not model.is_named_by(record.fingerprint) or model.arithmetic() != record.arithmetic:
        raise WrongModel("the archive needs another model, or another version of the arithmetic")
    return model


def text_of(data: bytes, path: str | None, window: int, learns: bool, dictionary_file: bytes | None) -> bytes:
    """What a text in memory stands for; both sides have agreed on model, window and dictionary."""
    if not data:
        raise Damaged("nothing is no archive")
    if data[0] & compact.COMPACT_MARK:
        return compact.decode_compact(data)
    if path is None:
        raise WrongModel("a short text needs a model: --model")
    given = dictionary.parse(dictionary_file) if dictionary_file is not None else None
    return compact.decode_short(data, Model(ModelFile(path), window, learns, given))


def decode(data: bytes, model: str | None = None, window: int = container.IMPLIED_WINDOW, learns: bool = False, given: bytes | None = None) -> bytes:
    """Of any of the three forms."""
    if data.startswith(container.MAGIC[:1]):
        return file_bytes(data, model, given)
    return text_of(data, model, window, learns, given)


def main() -> int:
    parser = argparse.ArgumentParser(prog="reference", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--model", help="the model's GGUF file")
    parser.add_argument("-D", "--dictionary", help="a dictionary, or any file that was one")
    parser.add_argument("--window", type=int, default=container.IMPLIED_WINDOW, help="of a text in memory, which does not name it")
    parser.add_argument("--learn", action="store_true", help="a text in memory was written by a model that learns")
    options = parser.parse_args()
    given = Path(options.dictionary).read_bytes() if options.dictionary else None
    try:
        text = decode(Path(options.file).read_bytes(), options.model, options.window, options.learn, given)
    except (Damaged, WrongModel) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 3 if isinstance(error, WrongModel) else 1
    sys.stdout.buffer.write(text)
    return 0
