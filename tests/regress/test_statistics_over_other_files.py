"""`--stats -` put JSON behind the archive on standard output, and `--stats FILE` overwrote any file, the input too."""

import json
import os
import subprocess

import pytest


@pytest.fixture
def f(smll):
    path = smll.write("f", b"data")
    smll("-1", "f", "-o", "a")
    return path


@pytest.mark.parametrize("arguments", [["-c", "f"], ["-o", "-", "f"], ["-"], [], ["f", "-"], ["-dc", "a"], ["-l", "a"],
                                       ["-o", "/dev/stdout", "f"], ["-d", "-"], ["-dcf", "f"]])
@pytest.mark.parametrize("stats", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_taken(smll, f, arguments, stats):
    result = smll("-1", "--stats", stats, *arguments, input=b"text", status=2)
    assert result.stdout == b"" and b"--stats" in result.stderr
    assert not smll.path("f.smll").exists()


@pytest.mark.parametrize("arguments", [["f"], ["-o", "b", "-"], ["-t", "a"], ["-d", "a", "-o", "b"]])
@pytest.mark.parametrize("stats", ["-", "/dev/stdout", "/dev/fd/1"])
def test_standard_output_is_free(smll, f, arguments, stats):
    assert json.loads(smll("-1", "--stats", stats, *arguments, input=b"text").stdout)["bytes_in"] != 0


@pytest.mark.parametrize("force", [[], ["-f"]])
def test_input(smll, f, force):
    smll.path("link").symlink_to("f")
    os.link(f, smll.path("hard"))
    for stats in ("f", "./f", "link", "hard"):
        smll("-1", *force, "f", "--stats", stats, status=2)
    with open(f, "rb") as source:
        subprocess.run([smll.binary, "-1", *force, "-o", "b", "--stats", "f"], cwd=smll.directory, stdin=source)
    assert f.read_bytes() == smll.path("link").read_bytes() == smll.path("hard").read_bytes() == b"data"


@pytest.mark.parametrize("force", [[], ["-f"]])
@pytest.mark.parametrize("arguments", [["f", "--stats", "f.smll"], ["f", "-o", "b", "--stats", "b"],
                                       ["f", "g", "--stats", "./f.smll"], ["-r", "d", "--stats", "d/e.smll"]])
def test_output(smll, f, force, arguments):
    smll.write("g", b"g")
    smll.write("d/e", b"e")
    for _ in range(2):  # where the output is not there yet, and where it is
        result = smll("-1", *force, *arguments, status=None)
        assert result.returncode != 0
        for path in [*smll.directory.glob("*.smll"), *smll.directory.glob("d/*.smll"), *smll.directory.glob("b")]:
            smll("-t", path)


def test_standard_output_as_a_file(smll, f):
    for options in ([], ["-f"]):
        with open(smll.path("out"), "wb") as out:
            result = subprocess.run([smll.binary, "-1", *options, "-c", "f", "--stats", "out"], cwd=smll.directory,
                                    stdout=out, stderr=subprocess.PIPE)
        assert result.returncode == 2 and smll.path("out").read_bytes() == b""


def test_other_files_need_force(smll, f):
    precious = smll.write("precious", b"precious")
    assert b"use -f" in smll("-1", "f", "--stats", "precious", status=1).stderr
    assert precious.read_bytes() == b"precious" and not smll.path("f.smll").exists()
    smll("-1", "-f", "f", "--stats", "precious")
    assert json.loads(precious.read_text())["bytes_in"] == 4


def test_in_the_directory_that_is_worked_on(smll):
    smll.write("d/a", b"a")
    for _ in range(2):
        smll("-1", "-r", "-f", "d", "--stats", "d/stats")
        assert sorted(path.name for path in smll.path("d").iterdir()) == ["a", "a.smll", "stats"]
        assert json.loads(smll.path("d/stats").read_text())["bytes_in"] == 1


def test_devices(smll, f):
    smll("-1", "f", "--stats", "/dev/null")
    ours, theirs = os.pipe()
    subprocess.run([smll.binary, "-1", "-c", "f", "--stats", f"/dev/fd/{theirs}"], cwd=smll.directory, check=True,
                   stdout=subprocess.PIPE, pass_fds=[theirs])
    os.close(theirs)
    with open(ours, "rb") as reading:
        assert json.loads(reading.read())["bytes_in"] == 4


def test_full_disk(smll, f):
    assert b"No space" in smll("-1", "f", "--stats", "/dev/full", status=1).stderr
