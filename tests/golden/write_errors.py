#!/usr/bin/env python3
"""Writes those archives of v1/errors that are not there yet: each is wrong in one way, and right but for that.

They are put together here from the fields of docs/spec/format.md, around the text of docs/spec/vectors.md. v1/errors/table.tsv says what smll says of each.
"""

from __future__ import annotations

import pathlib
import re
import struct

import xxhash

GOLDEN = pathlib.Path(__file__).resolve().parent
ROOT = GOLDEN.parent.parent
TEXT = b"a rose is a rose is a rose is a rose, he said, and the rose is his rose\n"
VECTORS = re.findall(r"```archive (\S+)\n(.*?)```", (ROOT / "docs/spec/vectors.md").read_text("utf-8"), re.S)
ANNOTATED = {
    name: bytes.fromhex("".join(re.match(r"((?:[0-9A-F]{2} ?)+)", line)[1] for line in lines.splitlines()))
    for name, lines in VECTORS
}
STORED, ZSTD, CM_FAST, CM, LLM = 0, 1, 2, 3, 4
CODE = bytes.fromhex("9edf901ea0704195bfbb06b8952720c35ae1b45989a70e374ee3ad595946db59c8")  # of the text, with method 2
CODE_WITH_MODEL = ANNOTATED["llm"][-69:]  # with method 4, lanes in front
FINGERPRINT = ANNOTATED["llm"][6:14]
ZSTD_FRAME = bytes.fromhex("28b52ffd200f790000") + b"rose is rose is"  # of 15 bytes, one block as it is


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def xxh3(data: bytes, seed: int = 0) -> int:
    return xxhash.xxh3_64_intdigest(data, seed)


def text_record(text: bytes) -> bytes:
    return varint(len(text)) + text


def model_record(
    *, flags: int = 0, arithmetic: int = 1, fingerprint: bytes = FINGERPRINT, window: int | None = 64, number: int = 7,
    name: bytes = b"rose", set_up: bytes = b"", dictionary: bytes = b"",
) -> bytes:
    tag = 0x80 | flags | number << 4 | (0x04 if window is not None else 0) | (0x08 if set_up else 0) | (0x02 if dictionary else 0)
    record = bytes([tag]) + varint(arithmetic) + fingerprint
    record += varint(window) if window is not None else b""
    record += text_record(name) if number == 7 else b""
    record += text_record(set_up) if set_up else b""
    return record + dictionary


def frame(
    method: int = CM_FAST, payload: bytes = CODE, *, number: int = 0, before: bytes = b"", text: bytes = TEXT,
    size: int | bytes | None = None, payload_size: int | None = None, tag: bytes | None = None,
) -> bytes:
    """With what stands in front of it, which its check covers. Sizes may lie."""
    stored = size if isinstance(size, bytes) else varint(len(text) if size is None else size)
    content = xxh3(text, xxh3(payload, number)) & 0xFFFFFFFF
    header = before + (tag or bytes([method])) + stored + varint(len(payload) if payload_size is None else payload_size)
    header += struct.pack("<I", content)
    return header + bytes([xxh3(header, number) & 0xFF]) + payload


def header(version: int = 0x81) -> bytes:
    return b"\xf3ml" + bytes([version])


def single(method: int = CM_FAST, payload: bytes = CODE, model: bytes = b"", **fields: object) -> bytes:
    return frame(method, payload, before=header() + model, **fields)


def modelled(payload: bytes = CODE_WITH_MODEL, **record: object) -> bytes:
    return single(LLM, payload, model_record(**record))


PARTS = [TEXT[:24], TEXT[24:48], TEXT[48:]]


def stored_frames() -> list[bytes]:
    return [frame(STORED, part, number=i, text=part, before=header(0x01) if i == 0 else b"") for i, part in enumerate(PARTS)]


def end_record(frames: list[bytes], *, count: int = 3, methods: int = STORED, sizes: int = 24, text: bytes = TEXT, check: int = 0, length: int = 0) -> bytes:
    body = varint(count) + b"".join(varint(len(one)) + varint(sizes) + bytes([methods]) for one in frames)
    body += struct.pack("<Q", xxh3(text))
    end = b"\x10" + varint(len(body)) + body
    end += struct.pack("<Q", xxh3(end) ^ check)
    return end + struct.pack("<I", len(end) + length) + b"lme\xf3"


def with_end(**lie: object) -> bytes:
    frames = stored_frames()
    return b"".join(frames) + end_record(frames, **lie)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if at >= 0 else flipped(data, len(data) + at)


def of_files() -> dict[str, bytes]:
    frames, right = stored_frames(), single()
    return {
        "empty": b"",
        "text": b"text, and no archive\n",
        "magic-cut": b"\xf3m",
        "magic-alone": b"\xf3ml",
        "header-alone": header(),
        "frame-header-cut": right[:8],
        "payload-cut": right[:-5],
        "end-cut": with_end()[:-9],
        "frames-without-end": b"".join(frames),
        "second-archive-cut": right + right[:10],
        "format-0": flipped(right, 3),
        "format-2": right[:3] + b"\x82" + right[4:],
        "flag-unknown": right[:3] + b"\x91" + right[4:],
        "header-check": flipped(right, 11),
        "content-check": single(STORED, TEXT)[:-1] + b"\x0b",
        "code-damaged": flipped(right, -10),
        "code-too-long": single(CM_FAST, CODE + b"garbage!"),
        "method-retired": single(5),
        "method-unknown": single(9),
        "tag-unknown": single(tag=b"\x40"),
        "prediction-set-2": single(tag=b"\x22\x02"),
        "frame-too-large": single(CM, size=(1 << 20) + 1),
        "payload-too-large": single(payload_size=2 * len(TEXT) + 1025),
        "stored-size": single(STORED, TEXT[:-1]),
        "varint-too-long": single(size=b"\xc8\x00"),
        "varint-of-70-bits": single(size=b"\xff" * 9 + b"\x7f"),
        "zstd-damaged": single(ZSTD, b"\x28\xb5\x2f\xfd" + TEXT[:20]),
        "zstd-size": single(ZSTD, ZSTD_FRAME),
        "frames-swapped": frames[0] + frames[2] + frames[1] + end_record(frames),
        "frame-repeated": frames[0] + frames[1] + frames[1] + frames[2] + end_record(frames),
        "frame-left-out": frames[0] + frames[2] + end_record(frames),
        "index-count": with_end(count=4),
        "index-sizes": with_end(sizes=25),
        "index-methods": with_end(methods=CM),
        "index-check": with_end(check=1),
        "index-length": with_end(length=1),
        "whole-content-check": with_end(text=TEXT[:-1]),
        "garbage-behind-single": right + b"garbage",
        "garbage-behind-end": with_end() + b"garbage",
        "garbage-behind-padding": right + bytes(16) + b"garbage",
        # With a model.
        "no-model-record": single(LLM, CODE_WITH_MODEL),
        "two-model-records": single(LLM, CODE_WITH_MODEL, model_record() * 2),
        "model-named-twice": frame(LLM, CODE_WITH_MODEL, before=header(0x01) + model_record())
        + frame(LLM, CODE_WITH_MODEL, number=1, before=model_record()),
        "window-1": modelled(window=1),
        "window-65537": modelled(window=(1 << 16) + 1),
        "window-of-64-bits": modelled(window=(1 << 64) - 1),
        "arithmetic-3": modelled(arithmetic=3),
        "arithmetic-of-33-bits": modelled(arithmetic=1 << 32),
        "name-too-long": modelled(name=b"n" * 256),
        "set-up-too-long": modelled(set_up=b"s" * 1024),
        "dictionary-with-llama": modelled(flags=1, dictionary=bytes(8) + text_record(b"rose")),
        "dictionary-unknown": modelled(dictionary=b"12345678" + text_record(b"rose")),
        "model-unknown": modelled(fingerprint=b"12345678"),
        "model-of-later-number": modelled(fingerprint=b"12345678", number=6),
        "model-is-smollm2": modelled(fingerprint=b"12345678", number=1, window=None),
        "lanes-damaged": modelled(b"\xc1" + CODE_WITH_MODEL[1:]),
        "lane-empty": modelled(b"\x01\x00" + CODE_WITH_MODEL[2:]),
        "lane-too-long": modelled(b"\x01\x49" + CODE_WITH_MODEL[2:]),
        "lanes-cut": modelled(b"\x1f\x01\x01"),
        "model-code-damaged": modelled(flipped(CODE_WITH_MODEL, 30)),
        "model-code-cut": modelled(CODE_WITH_MODEL[:-9]),
        "model-code-with-zeros": modelled(CODE_WITH_MODEL + bytes(2)),
    }


def of_texts() -> dict[str, bytes]:
    """In memory: compact texts and short ones."""
    compact = (GOLDEN / "v1/compact.smll").read_bytes()
    short = (GOLDEN / "v1/short.smll").read_bytes()
    check = xxh3(TEXT[:20])
    stored = bytes([0x80 | check >> 8 & 15, check & 0xFF]) + TEXT[:20]
    return {
        "compact-cut": b"\x80",
        "compact-check": flipped(stored, 1),
        "compact-damaged": flipped(stored, -1),
        "compact-code-damaged": flipped(compact, 60),
        "compact-code-too-long": compact + b"garbage!",
        "compact-zstd-damaged": bytes([0x90, 0]) + TEXT[:20],
        "compact-later-set": b"\xf0\x02" + stored,
        "compact-of-before-1.0": bytes([0xD0 | stored[0] & 15]) + stored[1:],
        "compact-method-retired": bytes([0xC0 | stored[0] & 15]) + stored[1:],
        "no-form": b"\xf5" + stored,
        "short-cut": short[:-20],
        "short-check": flipped(short, 0),
        "short-damaged": flipped(short, 70),
        "short-with-zeros": short + bytes(2),
    }


def of_dictionaries() -> dict[str, bytes]:
    right = (GOLDEN / "v1/dictionary.smlld").read_bytes()

    def checked(data: bytes) -> bytes:
        return data + struct.pack("<Q", xxh3(data))

    parts = right[4:12] + right[12:20]
    return {
        "cut": right[:-9],
        "check": flipped(right, 40),
        "version-2": checked(right[:3] + b"\x02" + right[4:-8]),
        "opening-too-long": checked(b"\xf3md\x01" + parts + b"\x00" + varint(16385) + varint(4) + b"rose" + b"\x00\x00"),
        "stored-longer": checked(b"\xf3md\x01" + parts + b"\x00" + varint(3) + varint(4) + b"rose" + b"\x00\x00"),
        "nothing-in-it": checked(b"\xf3md\x01" + parts + b"\x00" + b"\x00\x00\x00"),
        "something-behind": checked(b"\xf3md\x01" + bytes(16) + b"\x00" + varint(4) + varint(4) + b"rose" + b"\x00\x00" + b"more"),
    }


def main() -> None:
    folder = GOLDEN / "v1" / "errors"
    folder.mkdir(exist_ok=True)
    files = {f"{name}.smll": data for name, data in {**of_files(), **of_texts()}.items()}
    files |= {f"dictionary-{name}.smlld": data for name, data in of_dictionaries().items()}
    for name, data in files.items():
        if not (folder / name).exists():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
