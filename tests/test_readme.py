"""README's commands and programs do what they are there for: run in order, in one directory, with the small model."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT, lines

README = (ROOT / "README.md").read_text(encoding="utf-8")

# Commands that are not run here, by how they begin, and why.
NOT_RUN = {
    "make": "builds, tests or installs everything",
    "sudo apt install": "installs packages",
    "python3 -m venv env": "takes seconds, for pip install alone",
    "pip install .": "builds everything anew; scripts/wheel tries it",
    "smll corpus compress logs s3://bucket/logs": "needs a bucket; tests/integrations/test_s3.py has one",
    "sqlite3": "a session of another program; test_sqlite.py tries the extension",
    "sqlite>": "as above",
    "build/smll bench": "takes minutes; tests/test_bench.py runs a short one",
}


def commands():
    """The lines of README's indented blocks, without what explains them."""
    outside = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    return [re.sub(r"\s+# .*", "", line[4:]) for line in re.findall(r"^    \S.*$", outside, flags=re.M)]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


def skipped(command):
    return [start for start in NOT_RUN if command == start or command.startswith(start + " ")]


@pytest.fixture
def directory(tmp_path, test_model, binary):
    """A directory with the files that README's commands name."""
    home = tmp_path / "home"
    (home / "letters").mkdir(parents=True)
    texts = {"book.txt": 4000, "sample.txt": 2000, "today.log": 500, "notes.txt": 500, "chat.txt": 300, "messages.txt": 450,
             "today.txt": 400, "letters/one": 300, "letters/two": 200}  # fmt: skip
    for seed, (name, size) in enumerate(texts.items()):
        (home / name).write_bytes(lines(size, seed + 1))
    shutil.copy(test_model, home / "model.gguf")
    for name in ("one", "two"):
        subprocess.run([binary, "--model", test_model, "--rm", home / "letters" / name], check=True)
    return home


@pytest.fixture
def environment(tmp_path, directory, binary, test_model):
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "smll").symlink_to(binary)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SMLL_MODEL": test_model, "SMLL_CACHE": str(tmp_path / "cache"),
            "SMLL_PYTHON": sys.executable, "PYTHONPATH": str(BUILD / "python"),
            "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"), "LD_LIBRARY_PATH": str(prefix / "lib")}  # fmt: skip


def test_commands(directory, environment):
    programs = blocks("cpp")
    assert len(programs) == 1 and programs[0].startswith("// hello.cc\n")
    (directory / "hello.cc").write_text(programs[0])
    ran = []
    for command in commands():
        if skipped(command):
            continue
        result = subprocess.run(["bash", "-c", f"set -eo pipefail; {command}"], cwd=directory, env=environment,
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=300)  # fmt: skip
        assert result.returncode == 0, (command, result.stdout, result.stderr)
        ran.append((command, result.stdout))
    assert len(ran) > 15
    assert ran[-1] == ("./hello", b"Hello, world!\n")
    original = (directory / "book.txt").read_bytes()
    assert (directory / "again.txt").read_bytes() == original
    assert dict(ran)["smll -d --range 1000:500 book.txt.smll -c"] == original[1000:1500]
    assert (directory / "letters/one").read_bytes() == lines(300, 8)
    assert (directory / "restored.txt").read_bytes() == (directory / "today.txt").read_bytes()
    assert "<html" in (directory / "book.html").read_text(encoding="utf-8")


def test_what_is_not_run_is_there():
    assert {start for command in commands() for start in skipped(command)} == set(NOT_RUN)


def test_python(directory, environment):
    pytest.importorskip("smll", reason="the Python module is not built: run make")
    programs = blocks("python")
    assert len(programs) == 1
    result = subprocess.run([sys.executable, "-c", programs[0]], cwd=directory, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == (directory / "chat.txt").read_bytes().split()
    with_smll = [environment["PATH"].split(":")[0] + "/smll", "-d", "-c", "log.smll"]
    assert subprocess.run(with_smll, cwd=directory, env=environment, capture_output=True).stdout == b"as gzip.open does"
