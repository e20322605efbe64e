"""`python -m smll bench`, `corpus` and `explain`; the program smll runs them from here."""

from __future__ import annotations

import sys
from typing import List, Optional

USAGE = """usage: smll bench [options]          compare with other compressors
       smll corpus COMMAND [options] compress many files or records, on disks and in buckets
       smll explain FILE [options]   show what each token of a text costs
The options of each: smll bench --help, smll corpus --help, smll explain --help"""


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    if command == "bench":
        from .bench.command import main as run
    elif command == "corpus":
        from .corpus.command import main as run
    elif command == "explain":
        from .explain.command import main as run
    else:
        wants_help = command in ("-h", "--help")
        print(USAGE, file=sys.stdout if wants_help else sys.stderr)
        return 0 if wants_help else 2
    return run(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
