"""Names that others chose (of models, set-ups, files) were shown as they are: their escape sequences drove the terminal,
and in Python a name that is not UTF-8 ended in UnicodeDecodeError or TypeError."""

import os
import subprocess
import sys

import pytest
from conftest import lines
from test_cli import on_terminal

# A window's title, a colour, C1's CSI, a right-to-left override, a line of its own, no UTF-8; and what may be shown.
HOSTILE = b"\x1b]0;t\x07\x1b[31m\xc2\x9b1m\xe2\x80\xae\n\xff caf\xc3\xa9"
SHOWN = "?]0;t??[31m?1m??? café"
NAME, NAME_SHOWN = HOSTILE[:11] + HOSTILE[-6:], SHOWN[:11] + SHOWN[-5:]
FORBIDDEN = (b"\x1b", b"\x07", b"\x7f", b"\xc2\x9b", b"\xe2\x80\xae", b"\xff")


def assert_clean(output):
    assert not any(bad in output for bad in FORBIDDEN), output
    output.decode("utf-8")


@pytest.fixture
def named_model(test_model, tmp_path):
    """The test model with a hostile general.name in its own one's place."""
    with open(test_model, "rb") as file:
        data = file.read()
    own = b"smll test model 1"
    assert data.count(own) == 1
    path = tmp_path / "named.gguf"
    path.write_bytes(data.replace(own, NAME))
    return path


def test_model_names(smll, named_model, tmp_path):
    smll.write("f", lines(2000))
    smll("--model", named_model, "--experts", "llm", "f")
    listing = smll("-lv", "f.smll").stdout
    assert listing.count(NAME_SHOWN.encode()) == 2
    assert NAME_SHOWN.encode() in smll("models", "list").stdout
    assert NAME_SHOWN.encode() in smll("models", "info", named_model).stdout
    missing = smll("-d", "-c", "f.smll", env={"SMLL_CACHE": str(tmp_path / "other")}, status=3).stderr
    assert NAME_SHOWN.encode() in missing
    for output in (listing, missing, smll("models", "list").stdout, smll("models", "info", named_model).stdout):
        assert_clean(output)


def test_file_names(smll):
    """In a directory, where nobody typed them: messages, results and lists."""
    name = os.fsdecode(b"d/" + HOSTILE)
    smll.write(name + ".smll", b"\xf3mlno archive")
    smll.write(name, b"text")
    for arguments in (["-t", "-r", "d"], ["-l", "-r", "d"], ["-1", "-v", "-r", "d"]):
        result = smll(*arguments, status=1)
        assert SHOWN.encode() in result.stderr, arguments
        assert_clean(result.stderr)
        assert result.stderr.count(b"\n") == 1
    os.remove(smll.path(name + ".smll"))
    assert_clean(smll("-1", "-v", "-r", "d").stderr)
    assert SHOWN.encode() in smll("-l", "-r", "d").stdout
    assert_clean(smll("-l", "-r", "d").stdout)
    assert_clean(smll("-1", name, status=1).stderr)
    assert_clean(smll("--model", os.fsdecode(HOSTILE + b".gguf"), input=b"text", status=3).stderr)


PYTHON = """
import os, sys, smll
name = os.fsdecode(bytes.fromhex(sys.argv[2]))
try:
    smll.Compressor(name + ".gguf").compress("text")
except smll.Error as error:
    assert error.kind == "model" and "caf\\u00e9" in str(error), error
else:
    sys.exit("no error")
with smll.Compressor(sys.argv[1]) as compressor:
    assert compressor.model["name"].startswith(sys.argv[3]), compressor.model
os.link(sys.argv[1], name)
with smll.Compressor(name) as compressor:
    assert os.path.samefile(compressor.model_path, sys.argv[1])
    text = compressor.compress("text")
    assert compressor.decompress(text) == "text"
"""


def test_in_python(named_model, cache, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PYTHON, str(named_model), HOSTILE.hex(), NAME_SHOWN], env=environment,
                          cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_explain_shows_such_a_name(smll, test_model):
    smll.write(os.fsdecode(b"caf\xe9.txt"), b"some text")
    smll("explain", os.fsdecode(b"caf\xe9.txt"), "-o", "page.html", "--model", test_model,
         env={"SMLL_PYTHON": sys.executable})
    assert "caf\ufffd.txt" in smll.path("page.html").read_text()


def test_data_with_such_characters(smll):
    """What a terminal is not given: C1 controls too, which some obey when they are spelled in UTF-8."""
    for data, shown in ((b"a \xc2\x9b31m b\n", False), (b"a \x1b[31m b\n", False), ("\u00a0 \u0402 \u20ac café\n".encode(), True)):
        smll.write("f", data)
        smll("-1", "-f", "f")
        status, output = on_terminal(smll, "-d", "-c", "f.smll")
        assert (status, b"garble" in output) == ((0, False) if shown else (1, True))
        assert (data.strip() in output) == shown
