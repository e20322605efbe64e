"""`python -m smll bench`, `corpus`, `explain` and `sqlite`; the program smll runs the first three from here."""

from __future__ import annotations

import sys
from typing import List, Optional

USAGE = """usage: smll bench [options]          compare with other compressors
       smll corpus COMMAND [options] compress many files or records, on disks and in buckets
       smll explain FILE [options]   show what each token of a text costs
       python -m smll sqlite         say where SQLite's extension is
The options of each: smll bench --help, smll corpus --help, smll explain --help"""

NO_BENCH = """smll: 'bench' comes with smll's sources and not with its packages, for its texts and plots are none that
programs need: run it in a checkout, after make, as build/smll bench"""


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    if command == "bench":
        try:
            from smll_bench.command import main as run
        except ModuleNotFoundError as error:
            if error.name != "smll_bench":
                raise
            print(NO_BENCH, file=sys.stderr)
            return 2
    elif command == "corpus":
        from .corpus.command import main as run
    elif command == "explain":
        from .explain.command import main as run
    elif command == "sqlite":
        from .sqlite import main as run
    else:
        wants_help = command in ("-h", "--help")
        print(USAGE, file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    return run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
