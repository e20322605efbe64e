"""A program that ended while its daemon threads used files of the package crashed: the interpreter ends such threads by
unwinding their stacks, also where they had called through the C++ side."""

import subprocess
import sys

import pytest

pytest.importorskip("smll", reason="the Python module is not built: run make")

SCRIPT = """
import io, threading, time
import smll

class Slow:
    def __init__(self, data=b""):
        self.stream = io.BytesIO(data)
    def read(self, size=-1):
        time.sleep(0.0005)
        return self.stream.read(50)
    def write(self, data):
        time.sleep(0.0005)
        return len(data)

stream = io.BytesIO()
with smll.open(stream, "wb", level=1) as file:
    for i in range(1000):
        file.write(b"%d" % i)
        file.flush()
used = [0] * 4

def write(number):
    file = smll.open(Slow(), "wb", level=1)
    while True:
        file.write(b"some text")
        file.flush()
        used[number] += 1

def read(number):
    while True:
        file = smll.open(Slow(stream.getvalue()))
        while file.read(10):
            used[number] += 1

for number in range(4):
    threading.Thread(target=(write, read)[number % 2], args=(number,), daemon=True).start()
while not all(used):
    time.sleep(0.01)
print("the end")
"""


def test_exit():
    environment = {"PYTHONPATH": ":".join(sys.path)}
    for _ in range(4):
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
