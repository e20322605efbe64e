"""Thirty everyday command lines, run with zstd and with smll: the same exit status (or both fail) and the same files.

Where smll differs on purpose, the reason stands in the line.
"""

import os
import shutil
import subprocess

import pytest
from conftest import lines

# (name, command, files that must exist afterwards with the same content, why smll differs or None). TOOL and EXT are
# replaced; --experts cm-fast is put in for smll, as these are about habits and not about the model.
COMMANDS = [
    ("compress", "TOOL a", "a a.EXT", None),
    ("compress several", "TOOL a b", "a b a.EXT b.EXT", None),
    ("explicit compress", "TOOL -z a", "a a.EXT", None),
    ("keep", "TOOL -k a", "a a.EXT", None),
    ("remove source", "TOOL --rm a", "a.EXT", None),
    ("to stdout", "TOOL -c a > x", "a x", None),
    ("from stdin", "TOOL < a > x", "a x", None),
    ("dash is stdin", "TOOL - < a > x", "a x", None),
    ("output name", "TOOL a -o x", "a x", None),
    ("output name first", "TOOL -o x a", "a x", None),
    ("force", "TOOL a && TOOL -f a", "a a.EXT", None),
    ("no overwrite", "TOOL a && TOOL a < /dev/null", "a a.EXT", None),
    ("decompress", "TOOL a && rm a && TOOL -d a.EXT", "a a.EXT", None),
    ("decompress, remove", "TOOL a && rm a && TOOL -d --rm a.EXT", "a", None),
    ("decompress to stdout", "TOOL a && TOOL -dc a.EXT > x", "a a.EXT x", None),
    ("decompress stdin", "TOOL -c a | TOOL -d > x", "a x", None),
    ("decompress long", "TOOL a && TOOL --decompress --stdout a.EXT > x", "x", None),
    ("decompress to a name", "TOOL a && TOOL -d a.EXT -o x", "x", None),
    ("decompress existing", "TOOL a && TOOL -d a.EXT < /dev/null", "a a.EXT", None),
    ("decompress over existing", "TOOL a && echo > a && TOOL -d -f a.EXT", "a", None),
    ("decompress wrong suffix", "TOOL -d a", "a", None),
    ("decompress garbage", "cp a x.EXT && TOOL -d x.EXT", "a", None),
    ("test", "TOOL a && TOOL -t a.EXT", "a a.EXT", None),
    ("test garbage", "cp a x.EXT && TOOL -t x.EXT", "a", None),
    ("list", "TOOL a && TOOL -l a.EXT", "a a.EXT", None),
    ("join", "TOOL -c a > x && TOOL -c b >> x && TOOL -dc x > y", "y", None),
    ("missing file", "TOOL nothing", "a", None),
    ("missing and present", "TOOL nothing a", "a a.EXT", None),
    ("recursive", "TOOL -r d", "d/e a", None),
    ("directory", "TOOL d", "a", None),
    ("threads and level", "TOOL -T2 -9 -q -k a", "a a.EXT", None),
    ("quiet clusters", "TOOL -qf a && TOOL -tq a.EXT", "a a.EXT", None),
    ("after two dashes", "TOOL -- a", "a a.EXT", None),
    ("force copies what is no archive", "TOOL -c b > y && TOOL -dcf a y > x", "a x", None),
    ("force copies stdin", "printf ab | TOOL -dcf > x", "x", None),
    ("force copies nothing into files", "cp a x.EXT && TOOL -df x.EXT", "a", None),
    ("truncated", "TOOL -c a | head -c 100 | TOOL -d > x", "a", None),
]


def run(tool, extension, command, directory):
    directory.mkdir()
    (directory / "d").mkdir()
    for name, seed in (("a", 1), ("b", 2), ("d/e", 3)):
        (directory / name).write_bytes(lines(20000, seed))
    command = command.replace("TOOL", tool).replace("EXT", extension)
    status = subprocess.run(["bash", "-c", "set -o pipefail; " + command], cwd=directory,
                            capture_output=True, stdin=subprocess.DEVNULL, timeout=60).returncode
    files = {}
    for path in directory.rglob("*"):
        if path.is_file():
            files[str(path.relative_to(directory)).replace("." + extension, ".EXT")] = path.read_bytes()
    return status, files


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
@pytest.mark.parametrize("name,command,present,why", COMMANDS, ids=[c[0] for c in COMMANDS])
def test_command(binary, cache, tmp_path, name, command, present, why):
    status, files = run("zstd", "zst", command, tmp_path / "zstd")
    # One program name, as --flags of the level would stand elsewhere in each line.
    wrapper = tmp_path / "smll"
    wrapper.write_text(f'#!/bin/sh\nexec "{binary}" "$@" --experts cm-fast\n')
    if " -- " in command:
        wrapper.write_text(f'#!/bin/sh\nexec "{binary}" --experts cm-fast "$@"\n')
    os.chmod(wrapper, 0o755)
    own_status, own_files = run(str(wrapper), "smll", command, tmp_path / "own")
    assert (own_status == 0) == (status == 0), (own_status, status)
    assert set(own_files) == set(files)
    for file in present.split():
        assert file in own_files
    for file, content in files.items():
        # Archives differ; everything else must not.
        if not file.endswith(".EXT") and not content.startswith(b"\x28\xb5\x2f\xfd"):
            assert own_files[file] == content, file
