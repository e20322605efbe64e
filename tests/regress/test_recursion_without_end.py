"""`-r` followed two links to `.` again and again (with -f), compressed its own growing output, and waited for a FIFO in a
directory (-c, -t, -l)."""

import os
import socket
import stat
import subprocess

import pytest
from conftest import lines


@pytest.fixture
def tree(smll):
    smll.write("d/a", b"a")
    smll.write("d/e/b", b"b")
    return smll.path("d")


def names(path):
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


def test_links_to_the_directory_itself(smll, tree):
    """Two of them make 2^40 ways before the system says that there are too many links."""
    for name in ("l", "m"):
        tree.joinpath(name).symlink_to(".")
        tree.joinpath("e", name).symlink_to("..")
    before = names(tree)
    smll("-1", "-rf", "d", timeout=60)
    assert names(tree) == sorted([*before, "a.smll", "e/b.smll"])
    assert smll("-1", "-rfc", "d", timeout=60).stdout == b"".join(
        smll("-1", "-c", f"d/{name}").stdout for name in ("a", "a.smll", "e/b", "e/b.smll"))
    assert smll("-trfv", "d", timeout=60).stderr.count(b"OK") == 2
    assert smll("-lrf", "d", timeout=60).stdout.count(b".smll") == 2
    smll("-drf", "--rm", "d", timeout=60)
    assert names(tree) == before


def test_each_directory_once(smll, tree):
    archives = smll("-1", "-rc", "d", "d/e", "d/../d", "d").stdout
    assert smll("-d", input=archives).stdout == b"ab"


def test_links_that_are_not_followed(smll, tree):
    tree.joinpath("l").symlink_to(".")
    tree.joinpath("nowhere").symlink_to("nothing")
    assert smll("-1", "-r", "d").stderr == b""
    assert b"leads nowhere" in smll("-1", "-rf", "d", status=1).stderr


@pytest.fixture
def special(tree):
    """What is no regular file, under names that every action looks at."""
    os.mkfifo(tree / "fifo.smll")
    os.mkfifo(tree / "fifo")
    tree.joinpath("link.smll").symlink_to("fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
    if os.geteuid() == 0:
        os.mknod(tree / "zero.smll", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.mknod(tree / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    return tree


@pytest.mark.parametrize("options", [["-1"], ["-1", "-c"], ["-t"], ["-l"], ["-d"], ["-dc"]])
@pytest.mark.parametrize("force", [[], ["-f"]])
def test_what_is_no_regular_file(smll, special, options, force):
    smll("-1", "-o", "d/x.smll", "d/a")
    result = smll("-r", *options, *force, "d", timeout=60)
    assert b"fifo" in result.stderr and b"not a regular file" in result.stderr
    assert smll("-qr", "-f", *options, "d", timeout=60).stderr == b""


def test_named_fifos_are_read(smll):
    os.mkfifo(smll.path("fifo"))
    process = subprocess.Popen([smll.binary, "-1", "-c", "fifo"], cwd=smll.directory, stdout=subprocess.PIPE)
    smll.path("fifo").write_bytes(b"text")
    assert smll("-d", input=process.communicate(timeout=60)[0]).stdout == b"text"


@pytest.mark.parametrize("redirect", ["wb", "ab"])
@pytest.mark.parametrize("options", [["-1", "-c"], ["-dc"], ["-l"]])
def test_own_output(smll, tree, options, redirect):
    """It comes before and after what it is made from."""
    smll.write("d/z", lines(5000))
    smll("-1", "-r", "d")
    for name in ("0.smll", "zz.smll"):
        with open(tree / name, redirect) as out:
            result = subprocess.run([smll.binary, "-r", *options, "d"], cwd=smll.directory, stdout=out,
                                    stderr=subprocess.PIPE, timeout=60)
        assert b"written to by this run" in result.stderr
        expected = [path for path in sorted(tree.rglob("*")) if path.is_file() and path != tree / name]
        tree.joinpath(name).rename(smll.path("out"))
        if "-1" in options:
            content = b"".join(path.read_bytes() for path in expected)
            assert smll("-d", input=smll.path("out").read_bytes()).stdout == content
        assert result.returncode == 0
        smll.path("out").unlink()


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_own_output_by_name(smll, force):
    path = smll.write("f", b"data")
    for options in (["-1", "-c", "f"], ["-1", "-"], ["-dc", "-"], ["-dcf", "f"]):
        with open(path, "ab") as out, open(path, "rb") as source:
            result = subprocess.run([smll.binary, *force, *options], cwd=smll.directory, stdin=source, stdout=out,
                                    stderr=subprocess.PIPE, timeout=60)
        assert result.returncode == 2 and b"same file" in result.stderr
    assert path.read_bytes() == b"data"


def test_own_archives(smll, tree):
    """With -f the archives of an earlier run are made again, and not compressed a second time."""
    for _ in range(2):
        smll("-1", "-rf", "d")
        assert names(tree) == ["a", "a.smll", "e", "e/b", "e/b.smll"]
    assert smll("-1", "-r", "d", status=1).stderr.count(b"already exists") == 2


def test_one_output_for_a_directory(smll, tree):
    for options in (["-1"], ["-d"]):
        assert b"-o takes one file" in smll("-r", *options, "d", "-o", "out", status=2).stderr
    assert not smll.path("out").exists()


def test_directory_that_cannot_be_read(smll, tree):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    os.chmod(tree / "e", 0)
    result = smll("-1", "-r", "d", status=1)
    assert b"d/e: cannot read it: Permission denied" in result.stderr and (tree / "a.smll").exists()
