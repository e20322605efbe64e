"""The blocks of docs/guide/databases.md, run one after another as a new user would."""

import os
import pathlib
import re
import subprocess

import pytest
from conftest import ROOT
from test_sqlite import EXTENSION, PROGRAM, python_with_extensions

PAGE = (ROOT / "docs" / "guide" / "databases.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.mark.skipif(PROGRAM is None or not EXTENSION.exists(), reason="sqlite3 or the extension is missing: no test of the page's SQL")
def test_sql(tmp_path, cache, test_model):
    script = "\n".join([f".load {EXTENSION}", ".bail on", *blocks("sql")])
    done = subprocess.run(
        [PROGRAM, tmp_path / "chat.db"], input=script, capture_output=True, text=True, env={**os.environ, "SMLL_MODEL": test_model}
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    told = done.stdout.splitlines()
    assert "hello 17, see you tomorrow at 17 o'clock" in told and "a note of this and that" in told
    assert told.count("0") == 2  # rows left after smll_maintain


PRELUDE = """
import pyarrow as pa, pyarrow.parquet as pq, smll
texts = [f"hello {n}, see you tomorrow at {n % 24} o'clock" for n in range(100)]
pq.write_table(pa.table({"id": range(100), "body": texts}), "messages.parquet")
dictionary = smll.Dictionary.train(texts, model_path=smll.Compressor().model_path, minutes=0.01)
dictionary.save("messages.smlld")
dictionary.keep()
"""

CHECKS = """
assert texts.to_pylist() == pq.read_table("messages.parquet")["body"].to_pylist()
back = smll.arrow.decompress_batches(pq.read_table("stream.parquet")).read_all()
assert back.equals(pq.read_table("messages.parquet"))
assert connection.execute("SELECT count(*) FROM messages WHERE smll_decompress(body) LIKE 'hello%'").fetchone() == (100,)
"""


def test_python(tmp_path, cache, test_model):
    for module in ("pyarrow", "pandas", "polars", "duckdb"):
        pytest.importorskip(module, reason=f"{module} is not installed: no test of the page's Python")
    import pyarrow

    path = [str(EXTENSION.parent.parent), str(pathlib.Path(pyarrow.__file__).parent.parent)]
    environment = {**os.environ, "PYTHONPATH": ":".join(path), "SMLL_MODEL": test_model}
    script = "\n".join([PRELUDE, *blocks("python"), CHECKS])
    done = subprocess.run([python_with_extensions(), "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hello 15, see you tomorrow" in done.stdout
