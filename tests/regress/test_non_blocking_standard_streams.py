"""A non-blocking standard input or output, as a shared terminal or pipe may be, was an error: "Resource temporarily
unavailable"."""

import os
import pathlib
import subprocess
import time

from conftest import noise


def wait_until_asleep(process):
    """Until all its threads wait, or it has ended."""
    asleep = 0
    while asleep < 10 and process.poll() is None:
        tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat")
        asleep = asleep + 1 if all(task.read_text().rpartition(")")[2].split()[0] == "S" for task in tasks) else 0
        time.sleep(0.01)


def full_pipe():
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    filled = 0
    try:
        while True:
            filled += os.write(theirs, bytes(4096))
    except BlockingIOError:
        return ours, theirs, filled


def run(smll, stream, *arguments):
    """Returns what is written to a stream that takes nothing at first, and the exit status."""
    ours, theirs, filled = full_pipe()
    process = subprocess.Popen([smll.binary, *arguments], cwd=smll.directory, **{stream: theirs})
    os.close(theirs)
    wait_until_asleep(process)
    with open(ours, "rb") as reading:
        written = reading.read()[filled:]
    return written, process.wait(timeout=60)


def test_output(smll):
    data = noise(1 << 20)
    smll.write("f", data)
    archive, status = run(smll, "stdout", "-1", "-c", "f")
    assert status == 0
    smll.write("a", archive)
    listing, status = run(smll, "stdout", "-l", "a")
    assert status == 0 and listing == smll("-l", "a").stdout
    raw, status = run(smll, "stdout", "-dc", "a")
    assert status == 0 and raw == data


def test_messages(smll):
    names = [f"{'no' * 100}{i}" for i in range(1000)]
    messages, status = run(smll, "stderr", "-1", *names)
    assert status == 1 and messages.count(b"\n") == len(names)


def test_input(smll):
    theirs, ours = os.pipe()
    os.set_blocking(theirs, False)
    process = subprocess.Popen([smll.binary, "-1", "-o", "out"], cwd=smll.directory, stdin=theirs)
    os.close(theirs)
    wait_until_asleep(process)
    if process.poll() is None:
        os.write(ours, b"late ")
        wait_until_asleep(process)
        os.write(ours, b"and later")
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert smll("-dc", "out").stdout == b"late and later"
