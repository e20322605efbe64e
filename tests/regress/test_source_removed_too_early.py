"""`smll -d --rm --range 0:10 f.smll -o part` wrote ten bytes and deleted the archive, and `--rm f -o /dev/null` a file that
was nowhere else. A source goes only when all of it is in a regular file of its own."""

import os
import signal
import subprocess
import time

import pytest
from conftest import lines, noise


@pytest.fixture
def archive(smll):
    smll.write("f", lines(30_000))
    smll("-1", "--frame-size", "10000", "f")
    return smll.path("f.smll")


@pytest.mark.parametrize("part", ["0:10", "0:", "0:30000", "5:5", "30000:", "40000:1"])
def test_range(smll, archive, part):
    result = smll("-d", "--rm", "--range", part, "f.smll", "-o", "part")
    assert archive.exists() and b"kept" in result.stderr
    start, _, length = part.partition(":")
    assert smll.path("part").read_bytes() == lines(30_000)[int(start):][:int(length or 30_000)]


def test_range_under_the_own_name(smll, archive):
    smll("-d", "-f", "--rm", "--range", "0:10", "f.smll")
    assert archive.exists() and smll.path("f").read_bytes() == lines(30_000)[:10]


def test_damage(smll):
    smll.write("f", noise(30_000))
    smll("-1", "--frame-size", "10000", "f")
    archive = smll.path("f.smll")
    data = bytearray(archive.read_bytes())
    data[15_000] ^= 1
    archive.write_bytes(data)
    for options in (["--keep-going"], []):
        smll("-d", "--rm", *options, "f.smll", "-o", "part", status=1)
        assert archive.exists()


@pytest.mark.parametrize("options", [["-c"], ["-o", "-"], ["-o", "/dev/null"], ["-o", "/dev/stdout"], ["-o", "link"],
                                     ["-o", "/dev/null", "-f"], ["-o", "link", "-f"], ["-t"], ["-l"]])
def test_output_that_is_no_file(smll, archive, options):
    smll.path("link").symlink_to("/dev/null")
    smll("-d", "--rm", "f.smll", *options)
    assert archive.exists()
    if "-t" not in options and "-l" not in options:
        smll("-1", "--rm", "f", *options)
        assert smll.path("f").exists()


def test_output_that_is_a_pipe(smll, archive):
    os.mkfifo(smll.path("pipe"))
    process = subprocess.Popen([smll.binary, "-d", "--rm", "f.smll", "-o", "pipe"], cwd=smll.directory)
    assert smll.path("pipe").read_bytes() == lines(30_000)
    assert process.wait(timeout=60) == 0 and archive.exists()


@pytest.mark.parametrize("options", [[], ["-o", "out"]])
def test_several_names(smll, options):
    """As gzip and xz: the data would stay under its other name."""
    smll.write("f", b"data")
    os.link(smll.path("f"), smll.path("other"))
    assert b"link" in smll("-1", "--rm", "f", *options, status=1).stderr
    assert sorted(path.name for path in smll.directory.iterdir()) == ["f", "other"]
    smll("-1", "--rm", "-k", "f", *options)
    smll("-1", "-f", "--rm", "f", *options)
    assert not smll.path("f").exists() and smll.path("other").read_bytes() == b"data"


def test_links(smll):
    """Without -f they are no input that could be removed; with it, what they lead to stays."""
    smll.write("f", b"data")
    smll.path("link").symlink_to("f")
    for options in ([], ["-o", "out"]):
        assert b"symbolic link" in smll("-1", "--rm", "link", *options, status=1).stderr
        assert smll.path("link").is_symlink() and not smll.path("out").exists()
    assert smll("-1", "--rm", "-c", "link").stdout == smll("-1", "-c", "f").stdout
    smll("-1", "--rm", "-f", "link", "-o", "out")
    assert not smll.path("link").is_symlink() and smll.path("f").read_bytes() == b"data"


def test_names_of_open_descriptors(smll):
    """As root, `--rm /dev/stdin` would remove it for everyone."""
    smll.write("f", b"data")
    smll.path("stdin").symlink_to("/dev/stdin")
    with open(smll.path("f"), "rb") as source:
        subprocess.run([smll.binary, "-1", "--rm", "-f", "stdin", "-o", "out"], cwd=smll.directory, stdin=source, check=True)
    assert smll("-dc", "out").stdout == b"data"
    assert smll.path("stdin").is_symlink() and smll.path("f").exists()


def stopped_in_the_middle(smll, *arguments):
    """A stopped run that has opened its input and has some seconds of work left."""
    process = subprocess.Popen([smll.binary, *arguments], cwd=smll.directory, stderr=subprocess.PIPE)
    while not any(path.name.startswith(".") for path in smll.directory.iterdir()) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    return process


def test_source_that_grows_meanwhile(smll):
    smll.write("log", bytes(1 << 20))
    process = stopped_in_the_middle(smll, "-1", "--rm", "log")
    with open(smll.path("log"), "ab") as log:
        log.write(b"more")
    process.send_signal(signal.SIGCONT)
    assert b"changed" in process.communicate(timeout=60)[1] and process.returncode == 1
    assert smll.path("log").read_bytes() == bytes(1 << 20) + b"more"
    assert smll("-dc", "log.smll").stdout == bytes(1 << 20)


def test_source_that_is_replaced_meanwhile(smll):
    smll.write("log", bytes(1 << 20))
    process = stopped_in_the_middle(smll, "-1", "--rm", "log")
    smll.path("log").rename(smll.path("old"))
    smll.write("log", b"new")
    process.send_signal(signal.SIGCONT)
    assert b"another file" in process.communicate(timeout=60)[1] and process.returncode == 1
    assert smll.path("log").read_bytes() == b"new"
