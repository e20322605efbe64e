"""`smll bench`, `smll explain` and the downloads ran the Python modules that lay in the current directory, which may be
anyone's: smll, pip, huggingface_hub and what these import."""

import pytest


@pytest.fixture
def trap(smll, monkeypatch):
    """A file that such modules make."""
    names = ["smll/__init__", "smll/__main__", "pip/__init__", "pip/__main__", "huggingface_hub", "fnmatch", "runpy", "glob"]
    for name in names:
        smll.write(f"{name}.py", f"open({str(smll.path('ran'))!r}, 'w')\n".encode())
    # No server is there.
    for variable in ("HF_ENDPOINT", "PIP_INDEX_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return smll.path("ran")


def test_reports(smll, trap):
    assert b"usage" in smll("bench", "--help").stdout
    assert b"usage" in smll("explain", "--help").stdout
    assert not trap.exists()


def test_downloads(smll, trap):
    assert b"pip" in smll("models", "pull", status=3).stderr
    smll("models", "pull", "hf:nobody/nothing:*.gguf", status=3)
    assert not trap.exists()
