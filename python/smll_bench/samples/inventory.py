"""Keeps track of what is on which shelf of a small warehouse."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator


@dataclass(frozen=True)
class Item:
    sku: str
    name: str
    weight_kg: float = 0.0


@dataclass
class Shelf:
    label: str
    max_weight_kg: float
    quantities: dict[Item, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def weight_kg(self) -> float:
        return sum(item.weight_kg * count for item, count in self.quantities.items())

    def put(self, item: Item, count: int = 1) -> None:
        if count < 1:
            raise ValueError(f"cannot put {count} of {item.name}")
        if self.weight_kg + item.weight_kg * count > self.max_weight_kg:
            raise OverflowError(f"shelf {self.label} cannot carry {count} x {item.name}")
        self.quantities[item] += count

    def take(self, item: Item, count: int = 1) -> None:
        if self.quantities.get(item, 0) < count:
            raise KeyError(f"shelf {self.label} has fewer than {count} x {item.name}")
        self.quantities[item] -= count
        if self.quantities[item] == 0:
            del self.quantities[item]


def read_items(path: Path) -> Iterator[Item]:
    """Yield the items of a CSV file with the columns sku, name and weight_kg."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield Item(row["sku"], row["name"], float(row["weight_kg"] or 0))


def find(shelves: list[Shelf], sku: str) -> list[tuple[str, int]]:
    """Where an item lies, and how many of it."""
    found = []
    for shelf in shelves:
        for item, count in shelf.quantities.items():
            if item.sku == sku:
                found.append((shelf.label, count))
    return sorted(found, key=lambda place: -place[1])
