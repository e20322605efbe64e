"""Threads that wrote to one file of the Python package crashed the interpreter: calls gave up the interpreter's lock and
nothing else guarded the writer. Calls on one file wait for each other now, and close() for those in progress."""

import io
import random
import subprocess
import sys
import threading

import pytest

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")

THREADS = 4


def in_threads(work):
    """Runs work(number) in each thread; the exceptions it raised."""
    raised = []
    begin = threading.Barrier(THREADS)

    def run(number):
        begin.wait()
        try:
            work(number)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


# In a process of its own: what went wrong took the interpreter along.
WRITERS = """
import random, sys, threading
import smll
file = smll.open(sys.argv[1], "wb", level=1)
begin = threading.Barrier(4)
def work(number):
    pieces = [random.Random(number * 3 + i).randbytes(700001) for i in range(3)]
    begin.wait()
    for piece in pieces:
        file.write(piece)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file.close()
"""


def test_writers(tmp_path):
    path = tmp_path / "f.smll"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", WRITERS, path], env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with smll.open(path) as file:
        data = file.read()
    # Each write stayed in one piece.
    pieces = [data[at : at + 700001] for at in range(0, len(data), 700001)]
    assert sorted(pieces) == sorted(random.Random(number).randbytes(700001) for number in range(THREADS * 3))


def test_readers():
    stream = io.BytesIO()
    with smll.open(stream, "wb", level=1) as file:
        for i in range(20000):
            file.write(b"%07d\n" % i)
    stream.seek(0)
    file = smll.open(stream)
    parts = [[] for _ in range(THREADS)]

    def work(number):
        while part := file.read(8 * 17):
            parts[number].append(part)

    assert in_threads(work) == []
    lines = b"".join(b"".join(part) for part in parts).split()
    assert sorted(lines) == [b"%07d" % i for i in range(20000)]


def test_one_closes_while_others_write():
    for _ in range(5):
        stream = io.BytesIO()
        file = smll.open(stream, "wb", level=1)
        written = [0] * THREADS

        def work(number, file=file, written=written):
            for i in range(50):
                if number == 0 and i == 25:
                    file.close()
                file.write(b"x" * 1000)
                written[number] += 1000

        raised = in_threads(work)
        assert all(type(error) is ValueError for error in raised), raised
        assert smll.decompress_bytes(stream.getvalue()) == b"x" * sum(written)


def test_all_close():
    for _ in range(10):
        stream = io.BytesIO()
        file = smll.open(stream, "wb", level=1)
        file.write(b"some text\n" * 1000)
        assert in_threads(lambda number, file=file: file.close()) == []
        assert smll.decompress_bytes(stream.getvalue()) == b"some text\n" * 1000


def test_a_compressor_is_closed_while_others_use_it(test_model):
    for _ in range(5):
        compressor = smll.Compressor(test_model, threads=1)

        def work(number, compressor=compressor):
            for _ in range(4):
                if number == 0:
                    compressor.close()
                compressor.compress(b"a text " * 30)

        assert all(type(error) is ValueError for error in in_threads(work))
        compressor.close()
