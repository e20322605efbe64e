#!/usr/bin/env python3
"""Writes src/text/unicode_ranges.inc: which code points are letters, numbers, marks, punctuation, symbols and spaces.

Usage: make_unicode_table.py SOURCE > src/text/unicode_ranges.inc

SOURCE is the folder with llama.cpp's pinned sources (scripts/fetch_llama). Models' tokenizers cut text by these categories, and
smll must cut it as llama.cpp does, so the Unicode version is the one of its table; the code points are facts of the Unicode
Character Database. Consecutive code points of one category are one line: the first of them and the category's letter.
"""

import pathlib
import re
import sys

CATEGORIES = {0x02: "N", 0x04: "L", 0x10: "M", 0x20: "P", 0x40: "S"}
CODE_POINTS = 0x110000
# One pre-tokenizer lists its letters one by one instead of naming a category.
LISTED = "DEEPSEEK_LLM"


def numbers(text: str, name: str) -> list[int]:
    block = re.search(rf"{name} = {{.*?\n(.*?)\n}};", text, re.DOTALL)
    assert block, name
    return [int(number, 16) for number in re.findall(r"0x[0-9A-Fa-f]+", block.group(1))]


def listed_letters(text: str) -> list[tuple[int, int]]:
    pattern = re.search(rf'PRE_TYPE_{LISTED}:.*?"\\\\s\?\[(A-Za-z.*?)\]\+"', text, re.DOTALL)
    assert pattern
    return [(ord(first), ord(last or first)) for first, last in re.findall(r"(.)(?:-(.))?", pattern.group(1))]


def main() -> None:
    source = pathlib.Path(sys.argv[1]) / "src"
    data = (source / "unicode-data.cpp").read_text()
    flat = numbers(data, "unicode_ranges_flags")
    starts, flags = flat[::2], flat[1::2]
    category = ["-"] * CODE_POINTS
    for start, end, flag in zip(starts, starts[1:], flags):
        category[start:end] = CATEGORIES.get(flag, "-") * (end - start)
    for space in numbers(data, "unicode_set_whitespace"):
        assert category[space] == "-"
        category[space] = "W"
    print("// Written by scripts/make_unicode_table.py: Unicode 15.1. The first code point of each range, and its category.")
    items = [f"{{{point:#x}, '{category[point]}'}}," for point in range(CODE_POINTS)
             if point == 0 or category[point] != category[point - 1]]
    print("constexpr CategoryRange kCategories[] = {")
    write(items)
    print("};\n\n// The letters that the pre-tokenizer \"deepseek-llm\" lists: first and last of each range.")
    print("constexpr CodePointRange kListedLetters[] = {")
    write([f"{{{first:#x}, {last:#x}}}," for first, last in listed_letters((source / "llama-vocab.cpp").read_text())])
    print("};")


def write(items: list[str]) -> None:
    line = "   "
    for item in items:
        if len(line) + len(item) + 1 > 110:
            print(line)
            line = "   "
        line += " " + item
    print(line)


if __name__ == "__main__":
    main()
