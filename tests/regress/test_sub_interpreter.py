"""`import smll` in a sub-interpreter waited for ever. It raises ImportError."""

import subprocess
import sys

import pytest

pytest.importorskip("smll", reason="the Python module is not built: run make")

SCRIPT = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
{before}
inner = '''
import sys
sys.path[:] = {path!r}
for _ in range(2):
    try:
        import smll
    except ImportError as error:
        print("refused:", error, flush=True)
'''
interpreter = interpreters.create()
try:
    interpreters.run_string(interpreter, inner)
finally:
    interpreters.destroy(interpreter)
import smll
print(smll.Compressor(level=1).decompress(smll.Compressor(level=1).compress("still works here")))
"""


@pytest.mark.parametrize("before", ["", "import smll"])
def test_it_is_refused(before):
    if sys.version_info >= (3, 13):
        pytest.importorskip("_interpreters")
    else:
        pytest.importorskip("_xxsubinterpreters")
    script = SCRIPT.format(before=before, path=sys.path)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    # What is waited for here is a hang.
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.count("refused: smll cannot be used in a sub-interpreter") == 2, (done.stdout, done.stderr)
    assert done.stdout.endswith("still works here\n")
    assert done.returncode == 0
