"""A hundred more command lines of gzip's, xz's and zstd's manuals and bug lists, run with one of them and with smll: the
same success or failure, the same files and the same content in all that is no archive. Where smll differs on purpose the
reason stands in the line, and the test says when it differs no more.
"""

import os
import shutil

import pytest
from test_like_zstd import run

KEEPS = "smll keeps its input unless --rm is given, as zstd does"
PASSES_OVER = "gzip fails; smll passes over what in a directory is no file, with a note, since nobody named it"
NO_LEVEL = "smll has no such level"
EXTENSIONS = {"gzip": "gz", "xz": "xz", "zstd": "zst"}

COMMANDS = [
    # Names and suffixes
    ("gzip", "TOOL a", KEEPS),
    ("gzip", "TOOL -k a.b.c", None),
    ("gzip", "cp a 'a b' && TOOL -k 'a b' && rm 'a b' && TOOL -dk 'a b.EXT'", None),
    ("gzip", "cp a -- -x && TOOL -k -- -x", None),
    ("gzip", "cp a ./-x && TOOL -k ./-x && TOOL -t ./-x.EXT", None),
    ("gzip", "cp a $'n\\nl' && TOOL -k $'n\\nl' && TOOL -t $'n\\nl.EXT'", None),
    ("gzip", "cp a $'\\xff' && TOOL -k $'\\xff' && TOOL -t $'\\xff.EXT'", None),
    ("gzip", "cp a '[a]' && TOOL -k '[a]'", None),
    ("gzip", "TOOL -k a && TOOL -k a.EXT", "gzip leaves it alone with status 0; smll with a failure, as xz"),
    ("xz", "TOOL -k a && TOOL -k a.EXT", None),
    ("zstd", "TOOL a && TOOL a.EXT", "zstd makes a.zst.zst; smll leaves archives alone, as gzip and xz do"),
    ("gzip", "cp a .EXT && TOOL -d .EXT", None),
    ("xz", "cp a .EXT && TOOL -d .EXT", None),
    ("gzip", "TOOL -k a && mv a.EXT A.EXT && TOOL -dk A.EXT", None),
    ("gzip", "TOOL -k ''", None),
    ("xz", "TOOL -k ''", None),
    ("gzip", "TOOL -k nothing a", None),
    ("gzip", "TOOL -k a nothing b", None),
    ("xz", "TOOL -k a a < /dev/null", None),
    ("gzip", "TOOL -k a/ ", None),
    ("gzip", "touch empty && TOOL -k empty && rm empty && TOOL -dk empty.EXT && test -f empty", None),
    # Standard streams
    ("gzip", "TOOL < a > x && TOOL -d < x > y && cmp a y", None),
    ("gzip", "TOOL -c < a > x && TOOL -dc < x | cmp - a", None),
    ("gzip", "TOOL - < a | TOOL -d - > y && cmp a y", None),
    ("xz", "cat a | TOOL -c - b > x && TOOL -dc x > y && cat a b | cmp - y", None),
    ("gzip", "TOOL -c a - < b > x && TOOL -dc x > y", None),
    ("gzip", ": | TOOL > x && TOOL -d < x > y && test ! -s y", None),
    ("gzip", ": | TOOL -d > y", None),
    ("xz", ": | TOOL -d > y", None),
    ("zstd", ": | TOOL -d > y", None),
    ("gzip", "TOOL -c a > /dev/full", None),
    ("gzip", "TOOL -k a && TOOL -dc a.EXT > /dev/full", None),
    ("gzip", "TOOL -c a >&-", None),
    ("gzip", "TOOL -d <&-", None),
    ("xz", "TOOL -dc < a", None),
    ("gzip", "TOOL -k a && TOOL -dc a.EXT a.EXT > y && cat a a | cmp - y", None),
    ("gzip", "TOOL -k a && TOOL -dc nothing a.EXT > y; cmp a y", None),
    ("gzip", "TOOL -c a b > x && TOOL -dc < x > y && cat a b | cmp - y", None),
    ("xz", "mkfifo p && (cat a > p & TOOL -c < p > x; wait) && TOOL -dc < x | cmp - a", None),
    ("gzip", "mkfifo p && TOOL -k p", None),
    ("xz", "TOOL -k /dev/null", None),
    ("gzip", "TOOL -c /dev/null > x && TOOL -dc < x > y && test ! -s y", None),
    # Overwriting and removing
    ("gzip", "TOOL -k a && TOOL -kf a", None),
    ("gzip", "TOOL -k a && echo old > a.EXT && TOOL -k a < /dev/null", None),
    ("gzip", "TOOL -k a && echo other > a && TOOL -dkf a.EXT", None),
    ("gzip", "TOOL -k a && echo other > a && TOOL -dk a.EXT < /dev/null", None),
    ("zstd", "TOOL --rm a b && TOOL -d --rm a.EXT b.EXT", None),
    ("zstd", "TOOL --rm -c a > x", None),
    ("zstd", "TOOL --rm -k a", None),
    ("zstd", "TOOL -k --rm a", None),
    ("zstd", "TOOL -q a && TOOL -t --rm a.EXT", None),
    ("zstd", "TOOL --rm < a > x", None),
    ("xz", "TOOL -k a && chmod 400 a.EXT && TOOL -dkf a.EXT", None),
    ("xz", "TOOL -k a && mkdir x && mv a.EXT x && TOOL -dk x/a.EXT", None),
    ("xz", "mkdir a.EXT && TOOL -k a", None),
    ("xz", "mkdir a.EXT && TOOL -kf a", None),
    ("zstd", "TOOL a -o nowhere/x", None),
    ("zstd", "TOOL a -o a", None),
    ("zstd", "TOOL -f a -o a", None),
    ("zstd", "TOOL a -o /dev/null", None),
    ("zstd", "TOOL a b -o x < /dev/null", None),
    ("zstd", "TOOL a -o x -o y", None),
    ("zstd", "TOOL a -o", None),
    # Links
    ("gzip", "ln -s a l && TOOL -k l", None),
    ("gzip", "ln -s a l && TOOL -kf l && TOOL -dc l.EXT | cmp - a", None),
    ("gzip", "ln -s a l && TOOL -c l > x && TOOL -dc < x | cmp - a", None),
    ("xz", "ln -s nothing l && TOOL -k l", None),
    ("xz", "ln -s nothing l && TOOL -kf l", None),
    ("xz", "ln -s l l && TOOL -kf l", None),
    ("gzip", "TOOL -k a && ln -s a.EXT l.EXT && TOOL -dk l.EXT", None),
    ("gzip", "TOOL -k a && ln -s a.EXT l.EXT && TOOL -t l.EXT", None),
    # Directories
    ("gzip", "TOOL d", None),
    ("gzip", "TOOL -kr d && rm d/e && TOOL -dkr d", None),
    ("gzip", "TOOL -kr d a", None),
    ("gzip", "TOOL -kr d && TOOL -tr d", None),
    ("gzip", "TOOL -kr .", None),
    ("gzip", "mkdir empty && TOOL -kr empty", None),
    ("gzip", "TOOL -kr nothing", None),
    ("gzip", "ln -s .. d/up && TOOL -kr d", PASSES_OVER),
    ("gzip", "mkfifo d/p && TOOL -kr d", PASSES_OVER),
    # Damage
    ("gzip", "TOOL -k a && printf x >> a.EXT && TOOL -t a.EXT", None),
    ("xz", "TOOL -k a && printf x >> a.EXT && TOOL -t a.EXT", None),
    ("xz", "TOOL -k a && head -c 4 /dev/zero >> a.EXT && TOOL -t a.EXT", None),
    ("gzip", "TOOL -k a && head -c 512 /dev/zero >> a.EXT && TOOL -t a.EXT", None),
    ("gzip", "TOOL -c a > x && head -c 1000 x > y.EXT && TOOL -d y.EXT", None),
    ("xz", "TOOL -c a > x && tail -c +2 x > y.EXT && TOOL -d y.EXT", None),
    ("xz", "TOOL -c a > x && (head -c 300 x; printf Z; tail -c +302 x) > y.EXT && TOOL -d y.EXT", None),
    ("gzip", "TOOL -k a b && cat a.EXT garbage b.EXT > y.EXT; TOOL -t y.EXT", None),
    ("xz", "TOOL -k a && cp b b.EXT && TOOL -t a.EXT b.EXT a.EXT", None),
    ("xz", "TOOL -k a && cp b b.EXT && TOOL -dkf a.EXT b.EXT", None),
    ("zstd", "TOOL a && TOOL -l a.EXT nothing.EXT", None),
    ("xz", "cp a x.EXT && TOOL -l x.EXT", None),
    # Options
    ("gzip", "TOOL -k1 a", None),
    ("gzip", "TOOL -9k a && TOOL -dkfv a.EXT", None),
    ("gzip", "TOOL -k --fast a && TOOL -k --best b", None),
    ("gzip", "TOOL -k --no-such-option a", None),
    ("gzip", "TOOL -dkc --force --quiet a > y", None),
    ("xz", "TOOL -k0 a", NO_LEVEL),
    ("xz", "TOOL -k -T0 a", None),
    ("xz", "TOOL -k --threads=2 a", None),
    ("xz", "TOOL -k -T x a", None),
    ("xz", "TOOL -k -M 100MiB a && TOOL -dkf -M 100MiB a.EXT", None),
    ("xz", "TOOL -zk a && TOOL --test a.EXT && TOOL --list a.EXT", None),
    ("xz", "TOOL -qq nothing", None),
    ("gzip", "TOOL --version > /dev/null && TOOL --help > /dev/null && TOOL -V > /dev/null && TOOL -h > /dev/null", None),
    ("xz", "TOOL --help > /dev/full", None),
    ("zstd", "TOOL -19 a", NO_LEVEL),
    ("zstd", "TOOL --ultra -22 a", NO_LEVEL),
    ("zstd", "TOOL -d a.EXT b.EXT < /dev/null", None),
]


def wrap(binary, path, command):
    """smll without its model, as these are about habits; options may not follow two dashes."""
    options = '--experts cm-fast "$@"' if " -- " in command else '"$@" --experts cm-fast'
    if "-h " in command or "-V " in command or command.endswith("-o"):
        options = '--experts cm-fast "$@"'
    path.write_text(f'#!/bin/sh\nexec "{binary}" {options}\n')
    os.chmod(path, 0o755)
    return str(path)


@pytest.mark.parametrize("tool,command,why", COMMANDS, ids=[f"{tool}: {command}" for tool, command, _ in COMMANDS])
def test_command(binary, cache, tmp_path, tool, command, why):
    assert shutil.which(tool), f"{tool} is not installed: scripts/setup --develop"
    status, files = run(tool, EXTENSIONS[tool], command, tmp_path / "theirs")
    own_status, own_files = run(wrap(binary, tmp_path / "smll", command), "smll", command, tmp_path / "own")
    theirs = {name: content for name, content in files.items() if not is_archive(name, content)}
    own = {name: content for name, content in own_files.items() if not is_archive(name, content)}
    same = (own_status == 0) == (status == 0) and set(files) == set(own_files) and theirs == own
    if why is None:
        assert same, (status, own_status, sorted(files), sorted(own_files))
    else:
        assert not same, f"smll does as {tool} now: take the reason away"


def is_archive(name, content):
    magics = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\xf3ml")
    # What a test cut or spoilt is one, too.
    return name.endswith(".EXT") or content.startswith(magics)
