"""The Python package's files had no tell, seek, name and mode, so that tarfile, zipfile, numpy.load, csv.Sniffer and the
like failed where they work on what gzip.open gives; closing a compressor twice raised."""

import copy
import csv
import io
import os
import pickle
import tarfile
import zipfile

import pytest
from conftest import lines, noise

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


class Pipe(io.RawIOBase):
    """Can be read forward only."""

    def __init__(self, data):
        self.stream = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.stream.readinto(buffer)


def packed(data, level=1):
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=level) as file:
        file.write(data)
    return stream.getvalue()


def test_closing_twice(tmp_path, test_model):
    compressor = smll.Compressor(test_model)
    compressor.close()
    compressor.close()
    for mode in ("wb", "rb"):
        file = smll.open(tmp_path / "f", mode, level=1)
        file.close()
        file.close()
        with pytest.raises(ValueError):
            file.tell()


def test_tarfile(tmp_path):
    (tmp_path / "a").write_bytes(lines(30_000))
    (tmp_path / "b").write_bytes(b"second")
    path = tmp_path / "f.tar.smll"
    with smll.open(path, "wb", level=1) as file, tarfile.open(fileobj=file, mode="w") as tar:
        tar.add(tmp_path / "a", "a")
        tar.add(tmp_path / "b", "b")
    with smll.open(path) as file, tarfile.open(fileobj=file) as tar:
        assert tar.getnames() == ["a", "b"]
        assert tar.extractfile("b").read() == b"second"
        assert tar.extractfile("a").read() == lines(30_000)


def test_zipfile():
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("a", lines(30_000))
    with zipfile.ZipFile(smll.open(io.BytesIO(packed(plain.getvalue())))) as archive:
        assert archive.read("a") == lines(30_000)


def test_numpy():
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(50_000).reshape(50, 1000)
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=1) as file:
        numpy.save(file, numbers)
    stream.seek(0)
    with smll.open(stream) as file:
        assert (numpy.load(file) == numbers).all()


def test_csv_sniffer(tmp_path):
    path = tmp_path / "f.csv.smll"
    with smll.open(path, "wt", newline="", level=1) as file:
        csv.writer(file, delimiter=";").writerows([["name", "number"], ["one", 1], ["two", 2]])
    with smll.open(path, "rt", newline="") as file:
        dialect = csv.Sniffer().sniff(file.read(1024))
        file.seek(0)
        assert list(csv.reader(file, dialect)) == [["name", "number"], ["one", "1"], ["two", "2"]]


def test_names_and_modes(tmp_path):
    path = tmp_path / "f.smll"
    for mode in ("wb", "ab", "rb"):
        with smll.open(path, mode, level=1) as file:
            assert file.name == str(path)
            assert file.mode == ("rb" if mode == "rb" else "wb")
            assert os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    with open(path, "rb") as raw, smll.open(raw) as file:
        assert file.name == str(path)
    file = smll.open(io.BytesIO(packed(b"x")))
    assert file.name == ""
    with pytest.raises(io.UnsupportedOperation):
        file.fileno()
    with smll.open(path, "rt") as file:
        assert file.name == str(path)
        assert repr(str(path)) in repr(file)


def test_far_seeks_decode_only_what_they_reach():
    """Through many frames: what is far away is passed over."""
    data = noise(6_000_000) + b"the end"
    archive = packed(data)

    class Counts(io.BytesIO):
        taken = 0

        def read(self, size=-1):
            part = super().read(size)
            self.taken += len(part)
            return part

    stream = Counts(archive)
    file = smll.open(stream)
    assert file.seek(-7, os.SEEK_END) == len(data) - 7
    assert file.read() == b"the end"
    assert file.seek(5_999_000) == 5_999_000
    assert file.read(50) == data[5_999_000:5_999_050]
    assert stream.taken < len(archive) + 600_000
    for position in (0, 999, 4_500_000, 4_194_304, 100, 10**9, len(data) - 1):
        assert file.seek(position) == min(position, len(data))
        assert file.tell() == min(position, len(data))
        assert file.read(100) == data[position : position + 100]


def test_files_begin_where_their_file_object_stands():
    stream = io.BytesIO(b"in front" + packed(lines(5000)))
    stream.seek(8)
    file = smll.open(stream)
    assert file.read(10) == lines(5000)[:10]
    assert file.seek(0) == 0
    assert file.read() == lines(5000)
    assert file.seek(-5, os.SEEK_END) == 4995


def test_pipes_are_read_forward():
    data = noise(3_000_000)
    file = smll.open(Pipe(packed(data)))
    assert not file.seekable()
    assert file.read(10) == data[:10]
    assert file.seek(2_500_000) == 2_500_000
    assert file.seek(100, os.SEEK_CUR) == file.tell() == 2_500_100
    assert file.read(10) == data[2_500_100:2_500_110]
    for wrong in ((0, os.SEEK_SET), (-1, os.SEEK_CUR), (0, os.SEEK_END)):
        with pytest.raises(OSError):
            file.seek(*wrong)
    assert file.seek(10**9) == len(data)


def test_files_cannot_be_pickled_or_copied():
    file = smll.open(io.BytesIO(packed(b"x")))
    for make in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            make(file)
