"""SIGPIPE on standard error, SIGXCPU, SIGALRM, SIGBUS and others left the hidden temporary file behind: only SIGINT,
SIGTERM and SIGHUP were handled. The file was also left when a signal came between its making and its registration."""

import os
import resource
import signal
import subprocess
import time

import pytest

ENDING = ("SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM "
          "SIGXCPU SIGPROF SIGVTALRM SIGIO SIGPWR SIGSYS SIGSTKFLT").split()


def names(smll):
    return sorted(path.name for path in smll.directory.iterdir())


def start(smll, *arguments, **options):
    """A run that has made its hidden file and waits for more input."""
    process = subprocess.Popen([smll.binary, *arguments], cwd=smll.directory, stdin=subprocess.PIPE, **options)
    process.stdin.write(b"text")
    process.stdin.flush()
    while not any(name.startswith(".out.") for name in names(smll)):
        assert process.poll() is None
        time.sleep(0.01)
    return process


def default_signals():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in ENDING:
        signal.signal(getattr(signal, name, signal.SIGTERM), signal.SIG_DFL)


@pytest.mark.parametrize("name", ENDING)
def test_signal(smll, name):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("not a signal that this Python knows")
    process = start(smll, "-1", "-o", "out", preexec_fn=default_signals)
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    process.stdin.close()
    assert names(smll) == []


def test_ignored_signals_stay_ignored(smll):
    process = start(smll, "-1", "-o", "out", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.stdin.close()
    assert process.wait(timeout=60) == 0
    assert names(smll) == ["out"]


def test_broken_pipe_on_standard_error(smll):
    """The message about the damage goes to a pipe that nobody reads."""
    smll.write("f", os.urandom(100_000))
    smll("-1", "--frame-size", "10000", "f", "-o", "a")
    archive = bytearray(smll.path("a").read_bytes())
    archive[25_000] ^= 1
    smll.write("a", bytes(archive))
    before = names(smll)
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.Popen([smll.binary, "-d", "--keep-going", "a", "-o", "out"], cwd=smll.directory,
                               stderr=theirs)
    os.close(theirs)
    assert process.wait(timeout=60) == -signal.SIGPIPE
    assert names(smll) == before


def test_any_moment(smll):
    """Many short runs, each stopped at another moment of the hidden file's life, with threads that may get the signal."""
    smll.write("f", b"text\n" * 100)
    for moment in range(60):
        process = subprocess.Popen([smll.binary, "-1", "-f", "f", "-o", "out"], cwd=smll.directory)
        time.sleep(moment / 4000)
        process.send_signal(signal.SIGALRM)
        process.wait(timeout=60)
        assert set(names(smll)) <= {"f", "out"}
