"""Text in UTF-16 or UTF-32 that the Python package wrote could not be read back: the file could not tell its position,
so that the mark of the byte order was left out."""

import io

import pytest

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be", "latin-1"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_writing_and_reading(tmp_path, encoding):
    path = tmp_path / "f.smll"
    with smll.open(path, "wt", encoding=encoding, level=1) as file:
        file.write("one\n")
        file.flush()
        file.write("zwölf\n")
    with smll.open(path, "rt", encoding=encoding) as file:
        assert file.read() == "one\nzwölf\n"
    with smll.open(path, "rb") as file:
        assert file.read() == "one\nzwölf\n".encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_appending_adds_no_second_mark(tmp_path, encoding):
    path, plain = tmp_path / "f.smll", tmp_path / "f"
    for text in ("one\n", "", "zwölf\n"):
        with smll.open(path, "at", encoding=encoding, level=1) as file:
            file.write(text)
        with open(plain, "at", encoding=encoding) as file:
            file.write(text)
    with smll.open(path, "rb") as file:
        assert file.read() == plain.read_bytes()


def test_appending_counts_on(tmp_path):
    path = tmp_path / "f.smll"
    with smll.open(path, "wb", level=1) as file:
        file.write(bytes(1000))
    with smll.open(path, "ab", level=1) as file:
        file.write(b"x" * 500)
        file.flush()
        assert file.tell() == 1500
        assert file.seek(1600) == 1600
    with smll.open(path) as file:
        assert file.read() == bytes(1000) + b"x" * 500 + bytes(100)


def test_positions_of_text():
    stream = io.BytesIO()
    with smll.open(stream, "wt", encoding="utf-16", level=1) as file:
        file.writelines(f"Zeile {i}\n" for i in range(1000))
    stream.seek(0)
    with smll.open(stream, "rt", encoding="utf-16") as file:
        for _ in range(500):
            file.readline()
        there = file.tell()
        rest = file.read()
        file.seek(there)
        assert file.read() == rest
        assert rest.startswith("Zeile 500\n")
        file.seek(0)
        assert file.readline() == "Zeile 0\n"
