"""Set-user-id and set-group-id bits survived a change of owner: someone else's archive of mode 6755 became a program that
ran with one's own rights."""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def public():
    """A directory that everyone reaches and may write to."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield pathlib.Path(name)


MODES = [0o6755, 0o4755, 0o2755, 0o1777, 0o7777, 0o640, 0o600, 0o604, 0o666, 0o070, 0o464]


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def make(smll, mode, owner=None, group=None):
    path = smll.write("f", b"data")
    if owner is not None:
        os.chown(path, owner, group)
    os.chmod(path, mode)
    return path


@pytest.mark.parametrize("mode", MODES)
def test_own_file(smll, mode):
    make(smll, mode | 0o400)
    smll("-1", "f", "-o", "a")
    assert mode_of(smll.path("a")) == (mode | 0o400) & 0o777
    os.chmod(smll.path("a"), mode | 0o400)
    smll("-d", "a", "-o", "out")
    assert mode_of(smll.path("out")) == (mode | 0o400) & 0o777


@needs_root
@pytest.mark.parametrize("mode", MODES)
def test_root_keeps_the_owner(smll, mode):
    make(smll, mode, 12345, 23456)
    smll("-1", "f")
    status = smll.path("f.smll").stat()
    assert (status.st_uid, status.st_gid) == (12345, 23456)
    assert stat.S_IMODE(status.st_mode) == mode & 0o777


@needs_root
@pytest.mark.parametrize("tool", ["smll", "xz"])
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode & 0o004])
def test_somebody_else(smll, public, mode, tool):
    """As xz: with another group, nobody gets what only the old group could do."""
    make(smll, mode, 12345, 23456).rename(public / "f")
    shutil.copy(smll.binary, public / "smll")
    command = ["./smll", "-1", "f"] if tool == "smll" else ["xz", "-kQ", "f"]
    subprocess.run(command, cwd=public, check=True, user=4242, group=4242, extra_groups=[])
    (archive,) = public.glob("f.*")
    status = archive.stat()
    assert (status.st_uid, status.st_gid) == (4242, 4242)
    common = (mode >> 3) & mode & 0o007
    assert stat.S_IMODE(status.st_mode) == mode & 0o700 | common << 3 | common


def test_nobody_reads_it_before(smll):
    make(smll, 0o644)
    process = subprocess.Popen([smll.binary, "-1", "-", "-o", "out"], cwd=smll.directory, stdin=subprocess.PIPE)
    hidden: list[pathlib.Path] = []
    while not hidden and process.poll() is None:
        hidden = list(smll.directory.glob(".out*"))
    assert mode_of(hidden[0]) == 0o600
    process.stdin.close()
    assert process.wait(timeout=60) == 0
