"""The command line of `smll corpus`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import List

from .. import Compressor, Error
from . import Plan, Progress, Refused, Summary, compress, decompress, verify
from ._errors import described, printable
from ._run import DEFAULT_JOBS

_SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    unit = _SIZES.get(text[-1:].upper(), 0)
    return int(text[:-1]) * unit if unit else int(text)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--jobs", type=int, default=DEFAULT_JOBS, metavar="N",
                        help="archives at once, whose texts the model takes together (default %(default)s)")  # fmt: skip
    common.add_argument("-T", "--threads", type=int, default=0, metavar="N", help="of the model; 0: one a core (default)")
    common.add_argument("--model", help="a GGUF file, a known model's name or hf:REPO:GLOB")
    common.add_argument("-D", "--dictionary", metavar="D", help="a dictionary's file, any text, or a kept dictionary's name")
    common.add_argument("--progress", action="store_true", help="say how far it is, be standard error a terminal or not")
    common.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")

    parser = argparse.ArgumentParser(
        prog="smll corpus",
        description="Compresses many files, or the records of large ones, and restores them. SRC and DST are paths or "
        "fsspec URLs (s3://bucket/dir). A run that was stopped goes on when it is started again.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    packs = commands.add_parser("compress", parents=[common], help="the files at SRC into archives and a manifest at DST")
    packs.add_argument("source", metavar="SRC")
    packs.add_argument("target", metavar="DST")
    packs.add_argument("--records", choices=("files", "lines", "parquet"), default="files",
                       help="what is compressed: whole files (default), the lines of each, or a column of Parquet files")  # fmt: skip
    packs.add_argument("--column", default="", metavar="NAME", help="the column of texts, with --records parquet")
    packs.add_argument("--group", type=int, default=Plan().group, metavar="N",
                       help="records in a frame, which reading one of them decodes (default %(default)s)")  # fmt: skip
    packs.add_argument("--part-size", type=_size, default=Plan().part_size, metavar="SIZE",
                       help="of the records in an archive, as 500K or 4M (default 1M)")  # fmt: skip
    packs.add_argument("--level", type=int, default=6, choices=range(1, 10), metavar="1..9", help="default %(default)s")
    unpacks = commands.add_parser("decompress", parents=[common], help="the corpus at SRC into files at DST")
    unpacks.add_argument("source", metavar="SRC")
    unpacks.add_argument("target", metavar="DST")
    unpacks.add_argument("-f", "--force", action="store_true", help="overwrite files that hold something else")
    checks = commands.add_parser("verify", parents=[common],
                                 help="compare the corpus at DST with its checksums, and with the files at SRC")  # fmt: skip
    checks.add_argument("source", metavar="SRC", nargs="?")
    checks.add_argument("target", metavar="DST")
    checks.add_argument("--stored", action="store_true", help="only the archives' own checksums; restores nothing")
    return parser


def _compressor(options: argparse.Namespace) -> Compressor:
    return Compressor(
        options.model, level=getattr(options, "level", 6), threads=options.threads, dictionary=options.dictionary
    )


def _run(options: argparse.Namespace, progress: Progress) -> Summary:
    if options.command == "compress":
        return compress(
            options.source,
            options.target,
            plan=Plan(options.records, options.column, options.group, options.part_size),
            compressor=_compressor(options),
            jobs=options.jobs,
            progress=progress,
            passed_over=lambda name: _say(f"{name}: neither file nor directory, passed over"),
        )
    if options.command == "decompress":
        return decompress(options.source, options.target, compressor=_compressor(options), jobs=options.jobs,
                          force=options.force, progress=progress)  # fmt: skip
    return verify(options.target, source=options.source, stored_only=options.stored, compressor=_compressor(options),
                  jobs=options.jobs, progress=progress)  # fmt: skip


def _say(text: str) -> None:
    print(f"smll corpus: {printable(text)}", file=sys.stderr)


def _told(command: str, summary: Summary) -> str:
    what = {"compress": "compressed", "decompress": "restored", "verify": "verified"}[command]
    records = f", {summary.records:,} records" if summary.records else ""
    share = f" ({summary.stored_size / summary.size:.3f})" if summary.size else ""
    kept = f"; {summary.kept:,} of {summary.parts:,} archives were done before" if summary.kept else ""
    return (f"{what} {summary.sources:,} files{records}: {summary.size:,} bytes, {summary.stored_size:,} "
            f"compressed{share}{kept}")  # fmt: skip


def main(arguments: List[str]) -> int:
    options = _parser().parse_args(arguments)
    shows = options.progress or (sys.stderr.isatty() and not options.quiet)
    try:
        summary = _run(options, Progress(sys.stderr if shows else None))
    except KeyboardInterrupt:
        # The threads may be at work for long; what they have not put in place is made again.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except ValueError as error:
        _say(str(error))
        return 2
    except Refused as error:
        _say(str(error))
        return 1
    except Error as error:
        _say(str(error))
        return 3 if error.kind == "model" else 1
    except OSError as error:
        _say(described(error))
        return 1
    for name, failure in summary.failures:
        _say(f"{name}: {described(failure)}")
    if not options.quiet:
        _say(_told(options.command, summary))
    return 1 if summary.failures else 0
