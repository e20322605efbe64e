"""The command line of `smll bench`."""

from __future__ import annotations

import argparse
import importlib.util
import pathlib
import sys
from typing import List

from smll import Compressor, Dictionary, Error, __version__
from smll._names import shown_name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="smll bench",
        description="Compares smll with other compressors, by size and speed. Every size is verified by a round trip.",
    )
    parser.add_argument("--quick", action="store_true", help="shorter texts; within two minutes on two cores")
    parser.add_argument("--file", action="append", default=[], type=pathlib.Path, metavar="F",
                        help="a text of yours to measure too (may be repeated)")  # fmt: skip
    parser.add_argument("--output", type=pathlib.Path, metavar="DIR",
                        help="write results.json, results.csv and results.md there")  # fmt: skip
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIR", help="write plots there, as PNG and SVG")
    parser.add_argument("--ablate", action="store_true", help="also measure what each expert is worth")
    parser.add_argument("-D", "--dictionary", help="with --ablate: what each expert is worth behind this dictionary: a file, or the "
                        "name or identity of a kept one")  # fmt: skip
    parser.add_argument("--model", help="a GGUF file, a known model's name or hf:REPO:GLOB")
    parser.add_argument("--original", metavar="PYTHON",
                        help="interpreter of an environment with the original smll (pysmll)")  # fmt: skip
    return parser


def _install(*packages: str) -> str:
    return " ".join((sys.executable, "-m pip install", *packages))


def _check_packages(plots: bool) -> None:
    wanted = ["numpy"] + (["matplotlib"] if plots else [])
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"smll bench: this needs {' and '.join(missing)}: {_install(*missing)}")


def main(arguments: List[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.dictionary and not options.ablate:
        parser.error("-D goes with --ablate")
    _check_packages(options.plots is not None)
    from . import provenance, report, tables
    from .codecs import codecs, missing
    from .measure import unverified
    from .original import Original

    try:
        dictionary = Dictionary.find(options.dictionary) if options.dictionary else None
    except Error as error:
        print(f"smll bench: {error}", file=sys.stderr)
        return 3 if error.kind == "model" else 1
    for name in missing():
        print(f"smll bench: without {name}, its column is missing: {_install(name)}", file=sys.stderr)
    reference = Compressor(options.model)
    original = Original(options.original, reference.model_path) if options.original else None
    results = tables.run(
        tables.Plan(
            codecs=codecs(options.model, original),
            quick=options.quick,
            files={shown_name(path): path.read_bytes().decode("utf-8", "surrogateescape") for path in options.file},
            ablate=Compressor(options.model, dictionary=dictionary) if options.ablate else None,
        )
    )
    command = " ".join(["smll bench"] + [f"--{name}" for name in ("quick", "ablate") if getattr(options, name)])
    if dictionary:
        command += f" -D {options.dictionary}"
    known = f"{dictionary.name} (identity {dictionary.identity:016x})".lstrip() if dictionary else None
    context = report.Context(__version__, reference.model, options.quick, options.plots, provenance.said(command), known)
    print(report.text(results, context))
    if options.plots is not None:
        from . import plots

        plots.write(results, options.plots)
    if options.output is not None:
        report.write(results, context, options.output)
    wrong = unverified(results.tables())
    for what in wrong:
        print(f"smll bench: the bytes did not come back: {what}", file=sys.stderr)
    return 1 if any("smll" in what for what in wrong) else 0
