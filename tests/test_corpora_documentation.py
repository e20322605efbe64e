"""The blocks of docs/guide/corpora.md, as a reader would run them, one section after another's files are there."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT, lines
from web import serving

PACKAGE = os.environ.get("SMLL_PYTHONPATH", str(BUILD / "python"))
NEEDS = {
    "A tree of files": ["fsspec"],
    "Records of large files": ["fsspec"],
    "One record from afar": ["fsspec", "aiohttp"],
    "Ray Data": ["ray", "pyarrow"],
    "Dask": ["dask", "distributed"],
    "Spark": ["pyspark", "pyarrow"],
}


def sections():
    text = (ROOT / "docs/guide/corpora.md").read_text()
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```", section, flags=re.M | re.S)
        if blocks:
            yield section.split("\n")[0], blocks


@pytest.fixture
def directory(tmp_path):
    """What the page's reader has: notes and logs."""
    for name in ("notes/a.txt", "notes/b/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(lines(600))
    (tmp_path / "logs").mkdir()
    records = [json.dumps({"text": text.decode()}) + "\n" for text in lines(2500).split(b"\n")]
    (tmp_path / "logs/monday.jsonl").write_text("".join(records * 2)[:6000])
    (tmp_path / "notes.jsonl").write_text("".join(records[:-1]))
    return tmp_path


def test_every_section_with_blocks_is_known():
    assert {name for name, _ in sections()} == set(NEEDS)


@pytest.mark.parametrize(("name", "blocks"), list(sections()), ids=lambda value: value if isinstance(value, str) else "")
def test_section(name, blocks, directory, test_model, binary):
    for package in NEEDS[name]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: docs/guide/corpora.md, {name!r} is not tried")
    if name == "Spark" and shutil.which("java") is None:
        pytest.skip("there is no java: docs/guide/corpora.md, 'Spark' is not tried")
    environment = {
        **os.environ, "SMLL_MODEL": test_model, "PYTHONPATH": PACKAGE, "SMLL_PYTHON": sys.executable,
        "PATH": f"{pathlib.Path(binary).parent}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip

    def run(*command, text=None):
        done = subprocess.run(command, cwd=directory, env=environment, input=text, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done

    if name == "One record from afar":
        run("smll", "corpus", "compress", "--records", "lines", "logs", "logs.corpus")
    with serving(directory) as server:
        for number, (language, block) in enumerate(blocks):
            block = block.replace("https://example.org", server.url)
            if language == "sh":
                run("bash", "-eux", text=block)
            else:
                script = directory / f"block{number}.py"  # Dask's processes import it
                script.write_text(block)
                run(sys.executable, str(script))
    for back in ("notes", "logs"):
        if (directory / f"{back}.back").exists():
            assert subprocess.run(["diff", "-r", back, f"{back}.back"], cwd=directory).returncode == 0
