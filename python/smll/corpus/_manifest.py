"""What a corpus holds: a header with what it was made with, and a line of JSON for each source."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ._errors import Refused, Unfit
from ._places import STATE, Place, check_name

MANIFEST = "smll-corpus.jsonl"
DICTIONARY = "smll-corpus.smlld"
_FORMAT = 1
_HEX = frozenset("0123456789abcdef")


class Part(NamedTuple):
    """An archive, and what it decompresses to: a whole source or some consecutive records of one."""

    path: str  # of the archive, in the corpus
    size: int  # bytes, as all sizes
    sha256: str
    stored_size: int
    stored_sha256: str
    groups: Tuple[int, ...] = ()  # sizes of the groups of records, which begin frames; () for a whole file
    records: int = 0


class Source(NamedTuple):
    """What was compressed, by its name below SRC."""

    name: str
    size: int
    sha256: str
    parts: Tuple[Part, ...]

    @property
    def records(self) -> int:
        return sum(part.records for part in self.parts)

    @property
    def stored_size(self) -> int:
        return sum(part.stored_size for part in self.parts)


class Header(NamedTuple):
    """What a corpus was made with; only a run with the same goes on with it."""

    records: str  # "files", "lines" or "parquet"
    column: str  # of Parquet files; else ""
    group: int  # records; 0 for files
    part_size: int  # bytes; 0 for files
    settings: Dict[str, Any]  # of the compressor, where they are not the default
    model: Optional[Dict[str, str]]  # name and fingerprint; None where no language model takes part
    dictionary: Optional[Dict[str, str]]  # name and identity

    def as_json(self) -> Dict[str, Any]:
        return {"smll_corpus": _FORMAT, **self._asdict()}


class Manifest(NamedTuple):
    header: Header
    sources: Dict[str, Source]

    def to_bytes(self) -> bytes:
        lines = [self.header.as_json(), *(_source_json(self.sources[name]) for name in sorted(self.sources))]
        return b"".join(map(_line, lines))


def read_manifest(place: Place) -> Optional[Manifest]:
    """The manifest of a corpus, each value of which is checked: who made it may be anyone."""
    data = place.read(MANIFEST)
    if data is None:
        return None
    lines = data.splitlines()
    where = f"{place.url}: {MANIFEST}"
    try:
        header = _header(json.loads(lines[0]))
    except (IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Refused(f"{where} is damaged: its first line is no header") from error
    sources: Dict[str, Source] = {}
    paths: Set[str] = set()
    for number, line in enumerate(lines[1:], 2):
        try:
            source = _source(json.loads(line))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Refused(f"{where} is damaged: line {number}: {error}") from error
        new = {part.path for part in source.parts}
        if source.name in sources or len(new) != len(source.parts) or not paths.isdisjoint(new):
            raise Refused(f"{where} is damaged: line {number} names what an earlier one names")
        paths |= new
        if header.group and any(-(-part.records // header.group) != len(part.groups) for part in source.parts):
            raise Refused(f"{where} is damaged: line {number}: its groups are not as many as its records make")
        sources[source.name] = source
    return Manifest(header, sources)


class Journal:
    """What a run has done so far, kept in the target's state. A run that is killed loses a second's work, or a hundredth
    of its own where that is more: files on object stores do not grow, so each part is a file of its own."""

    _FIRST_PAUSE = 1.0  # seconds

    def __init__(self, place: Place, header: Header) -> None:
        self._place = place
        self._header = _line(header.as_json())
        self._run = uuid.uuid4().hex
        self._written = 0
        self._new: List[bytes] = []
        self._begun = self._last = time.monotonic()

    def begin(self) -> None:
        """Says that what will be in the target is this run's."""
        self._write([])

    def read(self) -> Iterable[Tuple[str, int, Part]]:
        """What earlier runs did: names of sources, numbers of their parts, and these."""
        for name in self._place.state_files("journal"):
            lines = (self._place.read(name) or b"").splitlines(keepends=True)
            if lines and lines[0] != self._header:
                raise Refused(f"{self._place.url}: a run with other settings was begun there; go on with the same ones, or "
                              "choose another place")  # fmt: skip
            for line in lines[1:]:
                try:
                    entry = json.loads(line)
                    done = _text(entry["name"]), _count(entry["number"]), _part(entry["part"])
                except (KeyError, TypeError, ValueError):
                    continue  # it is done again
                yield done

    def add(self, name: str, number: int, part: Part) -> None:
        self._new.append(_line({"name": name, "number": number, "part": _part_json(part)}))
        now = time.monotonic()
        if now - self._last > max(self._FIRST_PAUSE, (now - self._begun) / 100):
            self.flush()

    def flush(self) -> None:
        if self._new:
            self._write(self._new)
            self._new.clear()
        self._last = time.monotonic()

    def _write(self, lines: List[bytes]) -> None:
        with self._place.put(f"{STATE}/journal/{self._run}-{self._written:06}.jsonl") as file:
            file.write(b"".join([self._header, *lines]))
        self._written += 1


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _part_json(part: Part) -> Dict[str, Any]:
    value = part._asdict()
    if not part.groups:
        del value["groups"], value["records"]
    return value


def _source_json(source: Source) -> Dict[str, Any]:
    value = source._asdict()
    value["parts"] = [_part_json(part) for part in source.parts]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("a text is expected")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise Unfit("a number is expected")
    return value


def _sha256(value: Any) -> str:
    if len(_text(value)) != 64 or not _HEX.issuperset(value):
        raise Unfit("a checksum is expected")
    return str(value)


def _object(value: Any) -> Dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit("an object is expected")
    return value


def _part(value: Any) -> Part:
    value = _object(value)
    groups = tuple(map(_count, value.get("groups", ())))
    part = Part(
        path=check_name(_text(value["path"])),
        size=_count(value["size"]),
        sha256=_sha256(value["sha256"]),
        stored_size=_count(value["stored_size"]),
        stored_sha256=_sha256(value["stored_sha256"]),
        groups=groups,
        records=_count(value.get("records", 0)),
    )
    if groups and sum(groups) != part.size:
        raise Unfit("the sizes of its groups do not add up")
    return part


def _source(value: Any) -> Source:
    value = _object(value)
    parts = tuple(map(_part, value["parts"]))
    source = Source(check_name(_text(value["name"])), _count(value["size"]), _sha256(value["sha256"]), parts)
    if sum(part.size for part in parts) != source.size:
        raise Unfit("the sizes of its parts do not add up")
    return source


def _header(value: Any) -> Header:
    value = _object(value)
    if value["smll_corpus"] != _FORMAT:
        raise Unfit("it is of another format")
    if value["records"] not in ("files", "lines", "parquet"):
        raise Unfit("it has other records")
    return Header(
        records=value["records"],
        column=_text(value["column"]),
        group=_count(value["group"]),
        part_size=_count(value["part_size"]),
        settings=dict(value["settings"]),
        model=value["model"] and {key: _text(value["model"][key]) for key in ("name", "fingerprint")},
        dictionary=value["dictionary"] and {key: _text(value["dictionary"][key]) for key in ("name", "identity")},
    )
