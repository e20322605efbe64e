"""Reads GGUF files: metadata and the places of tensors. The format is ggml's (github.com/ggml-org/ggml, gguf.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ALIGNMENT = 32
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

# Of a tensor type: number, values of a block, bytes of a block.
TYPES = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24),
    "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176),
    "Q6_K": (14, 256, 210), "BF16": (30, 1, 2),
}  # fmt: skip
_NAMES = {number: name for name, (number, _, _) in TYPES.items()}


@dataclass(frozen=True)
class Tensor:
    """`rows` rows of `columns` values, of which each is whole blocks."""

    name: str
    type: str
    columns: int
    rows: int
    blocks: np.ndarray  # bytes, [rows][blocks of a row][bytes of a block]


class Gguf:
    def __init__(self, path: str | Path) -> None:
        self.data = np.memmap(path, np.uint8, "r")
        self.position = 0
        if self.take(4) != b"GGUF" or self.scalar(4) not in (2, 3):
            raise ValueError(f"{path} is no GGUF file")
        count, keys = self.scalar(10), self.scalar(10)
        self.metadata: dict[str, Any] = {}
        for _ in range(keys):
            key = self.string()
            self.metadata[key] = self.value(self.scalar(4))
        infos = []
        for _ in range(count):
            name = self.string()
            extents = [self.scalar(10) for _ in range(self.scalar(4))]
            infos.append((name, extents, self.scalar(4), self.scalar(10)))
        alignment = self.metadata.get("general.alignment", ALIGNMENT)
        start = -(-self.position // alignment) * alignment
        self.tensors = {name: self.tensor(name, extents, type, start + offset) for name, extents, type, offset in infos}

    def take(self, count: int) -> bytes:
        self.position += count
        return self.data[self.position - count : self.position].tobytes()

    def scalar(self, type: int) -> Any:
        form = _SCALARS[type]
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self) -> bytes:
        return self.take(self.scalar(10))

    def string(self) -> str:
        return self.text().decode("utf-8", "surrogateescape")

    def value(self, type: int) -> Any:
        if type == _STRING:
            return self.string()
        if type == _ARRAY:
            of, count = self.scalar(4), self.scalar(10)
            return [self.value(of) for _ in range(count)]
        return self.scalar(type)

    def tensor(self, name: str, extents: list[int], type: int, offset: int) -> Tensor:
        columns, rows = (extents + [1])[:2]
        _, values, size = TYPES[_NAMES[type]]
        shape = (rows, columns // values, size)
        data = self.data[offset : offset + rows * (columns // values) * size]
        return Tensor(name, _NAMES[type], columns, rows, data.reshape(shape))
