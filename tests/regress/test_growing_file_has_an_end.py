"""A log that grew faster than it was compressed was compressed without end."""

import os
import select
import subprocess

import pytest


def start(smll, *arguments, **options):
    """A run with its output blocked, so that it has read the start of its input and not all of it."""
    ours, theirs = os.pipe()
    process = subprocess.Popen([smll.binary, "-1", "-T", "1", "-c", *arguments], cwd=smll.directory, stdout=theirs, **options)
    os.close(theirs)
    select.select([ours], [], [], 60)
    return process, ours


def end(process, ours):
    with open(ours, "rb") as reading:
        archive = reading.read()
    assert process.wait(timeout=60) == 0
    return archive


@pytest.mark.parametrize("redirected", [False, True])
def test_growing(smll, redirected):
    data = os.urandom(1 << 20)
    path = smll.write("log", data)
    with open(path, "rb") as reading, open(path, "ab") as log:
        process, ours = start(smll, "--frame-size", "64K", *(["-"] if redirected else ["log"]), stdin=reading)
        log.write(b"more")
        log.flush()
        archive = end(process, ours)
    assert smll("-d", input=archive).stdout == data


def test_from_the_middle(smll):
    """Standard input that something has already been read from."""
    path = smll.write("f", b"first line\nthe rest\n")
    with open(path, "rb", buffering=0) as reading:
        reading.seek(11)
        process, ours = start(smll, stdin=reading)
        archive = end(process, ours)
    assert smll("-d", input=archive).stdout == b"the rest\n"


def test_files_without_a_size(smll):
    """Those of /proc say 0 bytes."""
    assert smll("-dc", input=smll("-1", "-c", "/proc/version").stdout).stdout == open("/proc/version", "rb").read()


def test_flush_follows(smll):
    """Whoever asks for a growing log to be readable gets what it grew by."""
    data = os.urandom(1 << 20)
    path = smll.write("log", data)
    process, ours = start(smll, "--frame-size", "64K", "--flush", "log")
    with open(path, "ab") as log:
        log.write(b"more")
    assert smll("-d", input=end(process, ours)).stdout == data + b"more"
