"""Many texts at once: items in, results or errors out."""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, List, Literal, Optional, Tuple, Union

from ._smll import Error
from ._text import BytesLike, decoded, encoded

# What may stand in an item's place with errors="return".
ItemError = Union[Error, UnicodeDecodeError]
Errors = Literal["raise", "return"]
# Called with the number of items that are done and the bytes that were given of them.
Progress = Callable[[int, int], object]

# The iterator forms take so much from their source before they give the first of it.
AHEAD_ITEMS = 256
AHEAD_BYTES = 4 * 1024 * 1024

Results = List[Union[bytes, Error]]


def check_errors(errors: str) -> None:
    if errors not in ("raise", "return"):
        raise ValueError(f'errors must be "raise" or "return", not {errors!r}')


def texts_of(items: Iterable[Union[str, BytesLike]]) -> Iterator[bytes]:
    """The bytes of texts, as `archives_of` gives them."""
    _check_many(items)
    return archives_of(map(encoded, items))


def archives_of(items: Iterable[BytesLike]) -> Iterator[bytes]:
    """The bytes of each item as they are when it comes: whoever gives items may use one buffer for all of them."""
    _check_many(items)
    return (item if isinstance(item, bytes) else memoryview(item).tobytes() for item in items)


def _check_many(items: object) -> None:
    if isinstance(items, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"an iterable of items is expected, not one {type(items).__name__}")


def placed(results: Results, errors: Errors, first: int = 0) -> Iterator[Union[bytes, Error]]:
    """The results, the first of which is of item `first`, with items' numbers in the errors, or up to an error."""
    for index, result in enumerate(results, first):
        if isinstance(result, Error):
            _tell_index(result, index)
            if errors == "raise":
                raise result
        yield result


def placed_text(results: Results, errors: Errors, first: int = 0) -> Iterator[Union[str, ItemError]]:
    """The same, for results that are text."""
    for index, result in enumerate(placed(results, errors, first), first):
        if isinstance(result, Error):
            yield result
            continue
        try:
            text = decoded(result)
        except UnicodeDecodeError as error:
            error.reason += f", in item {index}"
            if errors == "raise":
                raise
            yield error
        else:
            yield text


def ahead(source: Iterator[bytes], work: Callable[[List[bytes]], Results]) -> Iterator[Tuple[int, Results]]:
    """The work's results for one part of the items after another, each with its first item's number. What the source
    raises comes out behind the results of what it gave before."""
    first = 0
    while True:
        part, end = _take(source)
        if part:
            yield first, work(part)
            first += len(part)
        if isinstance(end, StopIteration):
            return
        if end is not None:
            raise end


def _take(source: Iterator[bytes]) -> Tuple[List[bytes], Optional[Exception]]:
    """Some items, and what ended the source, if anything did."""
    part: List[bytes] = []
    size = 0
    while len(part) < AHEAD_ITEMS and size < AHEAD_BYTES:
        try:
            part.append(next(source))
        except Exception as end:
            return part, end
        size += len(part[-1])
    return part, None


def _tell_index(error: Error, index: int) -> None:
    error.index = index
    error.args = (f"item {index}: {error}",)
