"""`-o /dev/stdout -f` replaced the device by a file. Devices, FIFOs and what leads to an open descriptor are written to as
they are; only regular files and symbolic links under a derived name are replaced."""

import os
import pty
import stat
import subprocess

import pytest
from conftest import lines

ARCHIVE_START = b"\xf3ml"


@pytest.fixture
def f(smll):
    smll.write("f", b"data")
    return smll("-1", "-c", "f").stdout


def run(smll, *arguments, **options):
    return subprocess.run([smll.binary, "-1", *arguments], cwd=smll.directory, stdin=subprocess.DEVNULL, timeout=60,
                          stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("force", [[], ["-f"]])
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "sub/link", "dir/1",
                                  "/dev/../dev/stdout"])
def test_standard_output(smll, f, force, name):
    smll.path("link").symlink_to("/dev/stdout")
    smll.path("sub").mkdir()
    smll.path("sub/link").symlink_to("../link")
    smll.path("dir").symlink_to("/dev/fd")
    before = os.lstat("/dev/stdout")
    assert run(smll, *force, "f", "-o", name, stdout=subprocess.PIPE).stdout == f
    # A file that standard output was sent to goes on where it stands.
    with open(smll.path("out"), "wb") as out:
        out.write(b"before ")
        out.flush()
        run(smll, *force, "f", "-o", name, stdout=out)
        out.seek(0, os.SEEK_END)
        out.write(b" after")
    assert smll.path("out").read_bytes() == b"before " + f + b" after"
    assert os.lstat("/dev/stdout").st_ino == before.st_ino
    assert smll.path("link").is_symlink() and smll.path("sub/link").is_symlink()


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_other_descriptors(smll, f, force):
    with open(smll.path("out"), "wb") as out:
        run(smll, *force, "f", "-o", f"/dev/fd/{out.fileno()}", pass_fds=[out.fileno()])
        out.seek(0, os.SEEK_END)
        out.write(b" after")
    assert smll.path("out").read_bytes() == f + b" after"
    assert run(smll, *force, "f", "-o", "/dev/stderr").stderr == f
    assert run(smll, *force, "f", "-o", "/dev/fd/99").returncode == 1
    assert run(smll, *force, "f", "-o", "/dev/fd/99999999999999999999").returncode == 1


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_devices_and_links_to_them(smll, f, force):
    smll.path("link").symlink_to("/dev/full")
    assert b"No space" in run(smll, *force, "f", "-o", "link").stderr
    assert smll.path("link").is_symlink()
    if os.geteuid() == 0:
        os.mknod(smll.path("full"), stat.S_IFCHR | 0o666, os.makedev(1, 7))
        assert b"No space" in run(smll, *force, "f", "-o", "full").stderr
        assert stat.S_ISCHR(os.lstat(smll.path("full")).st_mode)
    assert run(smll, *force, "f", "-o", "/dev/null").returncode == 0
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_fifo(smll, f, force):
    os.mkfifo(smll.path("pipe"))
    process = subprocess.Popen([smll.binary, "-1", *force, "f", "-o", "pipe"], cwd=smll.directory)
    assert smll.path("pipe").read_bytes() == f
    assert process.wait(timeout=60) == 0
    assert stat.S_ISFIFO(os.lstat(smll.path("pipe")).st_mode)


def test_terminal_under_its_name(smll, f):
    """Binary data goes there with -f only, whatever it is called."""
    smll.write("f.smll", f)
    smll.write("text.smll", smll("-1", "-c", input=lines(50)).stdout)
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    assert b"terminal" in run(smll, "f", "-o", name).stderr
    assert b"terminal" in run(smll, "f", "-o", "/dev/stdout", stdout=theirs).stderr
    assert run(smll, "-d", "text.smll", "-o", name).returncode == 0
    assert os.read(ours, 1000).replace(b"\r", b"") == lines(50)
    assert run(smll, "-f", "f", "-o", name).returncode == 0
    assert os.read(ours, 1000).startswith(ARCHIVE_START)
    os.close(ours)
    os.close(theirs)


def test_derived_names(smll, f):
    """As gzip and xz: with -f a link is replaced and not what it leads to; what is no regular file is left alone."""
    real = smll.write("real", b"old")
    smll.path("f.smll").symlink_to("real")
    assert b"already exists" in run(smll, "f").stderr
    run(smll, "-f", "f")
    assert not smll.path("f.smll").is_symlink() and smll.path("f.smll").read_bytes() == f and real.read_bytes() == b"old"
    smll.path("f.smll").unlink()
    smll.path("f.smll").symlink_to("nowhere")
    assert b"already exists" in run(smll, "f").stderr
    assert not smll.path("nowhere").exists()
    smll.path("f.smll").unlink()
    os.mkfifo(smll.path("f.smll"))
    assert b"already exists" in run(smll, "f").stderr
    assert b"not a regular file" in run(smll, "-f", "f").stderr
    assert stat.S_ISFIFO(os.lstat(smll.path("f.smll")).st_mode)


def test_named_link_to_a_file(smll, f):
    """As zstd: the link is replaced."""
    real = smll.write("real", b"old")
    smll.path("link").symlink_to("real")
    assert b"already exists" in run(smll, "f", "-o", "link").stderr
    run(smll, "-f", "f", "-o", "link")
    assert smll.path("link").read_bytes() == f and real.read_bytes() == b"old"


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_directories(smll, f, force):
    smll.write("d/e", b"")
    smll.path("link").symlink_to("d")
    for name in ("d", "d/", "link", ".", "/dev/fd", "/dev/fd/"):
        assert b"directory" in run(smll, *force, "f", "-o", name).stderr
    assert smll.path("link").is_symlink() and smll.path("d/e").exists()


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_input_and_output_are_one_file(smll, f, force):
    with open(smll.path("f"), "r+b") as out:
        for name in ("-", "/dev/stdout", f"/dev/fd/{out.fileno()}"):
            result = run(smll, *force, "f", "-o", name, stdout=out, pass_fds=[out.fileno()])
            assert result.returncode == 2 and b"same file" in result.stderr
    assert smll.path("f").read_bytes() == b"data"
