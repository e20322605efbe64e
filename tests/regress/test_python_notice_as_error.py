"""What the package warns of is told from inside the model's lock, where a warning that is an error (`python -W error`)
had to leave: it comes out of the call as it is, and the model stays usable."""

import io
import warnings

import pytest

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


def test_a_warning_that_is_an_error(test_model, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = smll.Compressor(test_model, backend="llama", threads=1, experts="llm")
        stream = io.BytesIO()
        with smll.open(stream, "wb", compressor=written) as file:
            file.write(b"text " * 20)
        other = smll.Compressor(test_model, backend="llama", threads=2, experts="llm")
        with pytest.raises(UserWarning, match="set-up"):
            other.decompress_bytes(stream.getvalue())
    assert other.model["backend"] == "llama"
    assert other.decompress(other.compress("still works")) == "still works"
