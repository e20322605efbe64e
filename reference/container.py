"""The file form: docs/spec/format.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import xxhash

from reference import payload
from reference.errors import Damaged
from reference.model import Model
from reference.varint import Reader

MAGIC = b"\xf3ml"
END_MAGIC = b"lme\xf3"
FORMAT_VERSION = 1
VERSION_MASK, FLAG_SINGLE = 0x0F, 0x80
TAG_END, TAG_LATER_SET, TAG_MODEL = 0x10, 0x20, 0x80
TAG_KIND_MASK = 0xF0
PREDICTION_SET = 1  # that is specified here
BACKEND, HAS_DICTIONARY, HAS_WINDOW, HAS_SET_UP = 0x01, 0x02, 0x04, 0x08  # of a model record's tag
NUMBER_SHIFT, NUMBER_MASK, NAMED = 4, 7, 7
IMPLIED_WINDOW = 2048
MIN_WINDOW, MAX_EXACT_WINDOW, MAX_WINDOW = 2, 1 << 16, 1 << 20
MAX_NAME, MAX_SET_UP = 255, 1023
KNOWN_MODELS = {1: "smollm2-135m", 2: "gemma3-270m"}
MODEL_FRAME, OTHER_FRAME, ZSTD_FRAME = 1 << 20, 1 << 24, 1 << 26  # most bytes of a frame
MAX_FRAME = {payload.ZSTD: ZSTD_FRAME, payload.STORED: OTHER_FRAME, payload.CM_FAST: OTHER_FRAME}
METHODS = (0, 1, 2, 3, 4, 6, 7)


@dataclass(frozen=True)
class ModelRecord:
    """What an archive's frames of methods 4 and 7 need."""

    llama: bool
    arithmetic: int
    fingerprint: int
    window: int
    name: str
    set_up: str
    dictionary: int | None  # its identity
    dictionary_name: str


@dataclass
class Frame:
    method: int
    size: int
    payload_size: int
    content_check: int
    end: int = 0  # of the archive's bytes


@dataclass
class Archive:
    """What has been seen of one."""

    start: int
    frames: list[Frame] = field(default_factory=list)
    model: ModelRecord | None = None
    model_bytes: bytes = b""
    data: list[bytes] = field(default_factory=list)


ModelFinder = Callable[[ModelRecord], Model]


def read_model_record(tag: int, reader: Reader) -> ModelRecord:
    arithmetic = reader.varint()
    if arithmetic >> 32:
        raise Damaged("the arithmetic's version is damaged")
    fingerprint = reader.u64()
    window = reader.varint() if tag & HAS_WINDOW else IMPLIED_WINDOW
    if not MIN_WINDOW <= window <= (MAX_WINDOW if tag & BACKEND else MAX_EXACT_WINDOW):
        raise Damaged("the model's window is damaged")
    number = tag >> NUMBER_SHIFT & NUMBER_MASK
    name = reader.string(MAX_NAME) if number == NAMED else KNOWN_MODELS.get(number, "")
    set_up = reader.string(MAX_SET_UP) if tag & HAS_SET_UP else ""
    dictionary, dictionary_name = None, ""
    if tag & HAS_DICTIONARY:
        if tag & BACKEND:
            raise Damaged("the archive names a dictionary that its backend cannot use")
        dictionary, dictionary_name = reader.u64(), reader.string(MAX_NAME)
    return ModelRecord(bool(tag & BACKEND), arithmetic, fingerprint, window, name, set_up, dictionary, dictionary_name)


def read_frame_header(archive: Archive, reader: Reader) -> Frame:
    """With the model record that may stand before it. Every byte from the frame before on is checked."""
    start = archive.frames[-1].end if archive.frames else archive.start
    tag = reader.byte()
    if tag & TAG_MODEL:
        if archive.model:
            raise Damaged("a second model is named")
        before = reader.position - 1
        archive.model = read_model_record(tag, reader)
        archive.model_bytes = reader.data[before : reader.position]
        tag = reader.byte()
    if tag & TAG_KIND_MASK == TAG_LATER_SET:
        raise Damaged(f"a frame's predictions are version {reader.varint()}, and only {PREDICTION_SET} is specified here")
    if tag not in METHODS:
        raise Damaged(f"method {tag} is unknown")
    frame = Frame(tag, reader.varint(), reader.varint(), reader.u32())
    header = reader.data[start : reader.position]
    if reader.byte() != xxhash.xxh3_64_intdigest(header, len(archive.frames)) & 0xFF:
        raise Damaged("a frame's header is damaged")
    if frame.size > MAX_FRAME.get(frame.method, MODEL_FRAME) or frame.payload_size > 2 * frame.size + 1024:
        raise Damaged("a frame is larger than the format allows")
    if frame.method in payload.NEED_MODEL and not archive.model:
        raise Damaged("no model is named for a frame")
    return frame


def content_check(data: bytes, coded: bytes, number: int) -> int:
    return xxhash.xxh3_64_intdigest(data, xxhash.xxh3_64_intdigest(coded, number)) & 0xFFFFFFFF


def read_frame(archive: Archive, reader: Reader, find_model: ModelFinder) -> None:
    frame = read_frame_header(archive, reader)
    coded = reader.take(frame.payload_size)

    def model() -> Model:
        assert archive.model
        return find_model(archive.model)

    data = payload.decode_frame(frame.method, coded, frame.size, model)
    if content_check(data, coded, len(archive.frames)) != frame.content_check:
        raise Damaged("a frame's data is damaged")
    frame.end = reader.position
    archive.frames.append(frame)
    archive.data.append(data)


def check_end_record(archive: Archive, reader: Reader) -> None:
    start = reader.position
    reader.byte()
    body = Reader(reader.take(reader.varint()))
    whole = reader.data[start : reader.position]
    fits = body.varint() == len(archive.frames)
    before = archive.start
    for frame in archive.frames:
        fits = fits and (body.varint(), body.varint(), body.byte()) == (frame.end - before, frame.size, frame.method)
        before = frame.end
    fits = fits and body.take(len(archive.model_bytes)) == archive.model_bytes
    fits = fits and body.u64() == xxhash.xxh3_64_intdigest(b"".join(archive.data)) and body.at_end()
    fits = fits and reader.u64() == xxhash.xxh3_64_intdigest(whole)
    size = reader.position - start
    if not fits or reader.u32() != size or reader.take(len(END_MAGIC)) != END_MAGIC:
        raise Damaged("the end record is damaged")


def read_archive(reader: Reader, find_model: ModelFinder) -> bytes:
    archive = Archive(reader.position)
    if reader.take(len(MAGIC)) != MAGIC:
        raise Damaged("not an smll archive")
    flags = reader.byte()
    if flags & VERSION_MASK != FORMAT_VERSION or flags & ~(VERSION_MASK | FLAG_SINGLE):
        raise Damaged("the archive needs another reader, or its header is damaged")
    if flags & FLAG_SINGLE:
        read_frame(archive, reader, find_model)
    else:
        while reader.data[reader.position : reader.position + 1] != bytes([TAG_END]):
            read_frame(archive, reader, find_model)
        check_end_record(archive, reader)
    return b"".join(archive.data)


def read_file(data: bytes, find_model: ModelFinder) -> bytes:
    """All archives of a file, one after another, with zero bytes behind each."""
    reader = Reader(data)
    out = [read_archive(reader, find_model)]
    while True:
        while not reader.at_end() and data[reader.position] == 0:
            reader.take(1)
        if reader.at_end():
            return b"".join(out)
        out.append(read_archive(reader, find_model))
