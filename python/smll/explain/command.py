"""The command line of `smll explain`."""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import List

from .. import Compressor, Dictionary, Error
from .._names import shown_name
from .page import Subject, render

DEFAULT_BYTES = 32768


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="smll explain",
        description="Writes a page that shows what each token of a text costs, and what the experts thought of it.",
    )
    parser.add_argument("file", metavar="FILE", help="the text; '-' reads standard input")
    parser.add_argument("-o", "--output", required=True, metavar="PAGE", help="the HTML file to write; '-' for standard output")
    parser.add_argument("--model", help="a GGUF file, a known model's name or hf:REPO:GLOB")
    parser.add_argument("--backend", default="exact", choices=("exact", "llama"))
    parser.add_argument("-D", "--dictionary", help="begin the text with what a dictionary knows: a file, or the name or identity "
                        "of a kept one")  # fmt: skip
    parser.add_argument("--bytes", type=int, default=DEFAULT_BYTES, metavar="N",
                        help="explain at most this many bytes from the start (default %(default)s, at most 1 MiB)")  # fmt: skip
    parser.add_argument("-f", "--force", action="store_true", help="overwrite PAGE")
    return parser


def main(arguments: List[str]) -> int:
    options = _parser().parse_args(arguments)
    target = pathlib.Path(options.output)
    try:
        data = sys.stdin.buffer.read() if options.file == "-" else pathlib.Path(options.file).read_bytes()
        part = data[: max(options.bytes, 0)]
        dictionary = Dictionary.find(options.dictionary) if options.dictionary else None
        with Compressor(options.model, backend=options.backend, dictionary=dictionary) as compressor:
            costs = compressor.explain(part)
            name = "standard input" if options.file == "-" else shown_name(pathlib.Path(options.file))
            known = f"{dictionary.name} (identity {dictionary.identity:016x})".lstrip() if dictionary else None
            page = render(costs, Subject(name, len(data), len(part), str(compressor.model["name"]), known))
        if options.output == "-":
            sys.stdout.buffer.write(page.encode("utf-8"))
        else:
            with target.open("w" if options.force else "x", encoding="utf-8") as file:
                file.write(page)
    except FileExistsError:
        print(f"smll explain: {target} exists; -f overwrites it", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"smll explain: {error}", file=sys.stderr)
        return 1
    except Error as error:
        print(f"smll explain: {error}", file=sys.stderr)
        return 3 if error.kind == "model" else 1
    return 0
