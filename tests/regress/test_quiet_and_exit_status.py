"""-q -q was as -q, of -q and -v the first counted, and the manual did not say what the exit statuses are where files are
left alone."""

import pytest
from conftest import lines, noise


@pytest.fixture
def things(smll):
    smll.write("f", lines(500))
    smll("-1", "f")
    smll.write("d/f", b"text")
    smll.path("link").symlink_to("f")
    smll.write("damaged.smll", noise(500))
    return smll


# What is left alone is a warning, what fails is an error; both have the status 1.
LEFT_ALONE = [["-1", "d"], ["-1", "link"], ["-1", "f.smll"]]
ERRORS = [(["-1", "missing"], 1), (["-1", "f"], 1), (["-d", "damaged.smll"], 1), (["-t", "damaged.smll"], 1),
          (["-t", "--keep-going", "damaged.smll"], 1), (["-l", "f"], 1), (["-d", "f"], 1),
          (["--model", "missing", "--experts", "llm", "-c", "f"], 3), (["-f", "-1", "f", "-o", "f"], 2)]


@pytest.mark.parametrize("arguments", LEFT_ALONE)
def test_left_alone(things, arguments):
    assert things(*arguments, status=1).stderr.count(b"\n") == 1
    for quiet in ("-q", "-qq", "-vq"):
        assert things(quiet, *arguments, status=1).stderr == b""
    assert things("-qv", *arguments, status=1).stderr != b""


@pytest.mark.parametrize("arguments, status", ERRORS)
def test_errors(things, arguments, status):
    said = things(*arguments, status=status).stderr
    assert said.startswith(b"smll: ")
    assert things("-q", *arguments, status=status).stderr == said == things("-vq", *arguments, status=status).stderr
    assert things("-qq", *arguments, status=status).stderr == b""


def test_the_rest_is_worked_on_and_the_first_failure_counts(things):
    things.path("f.smll").unlink()
    things("-q", "-1", "d", "--", "f", status=1)
    assert things.path("f.smll").exists()
    things("-t", "missing", "f.smll", status=1)
    things("-q", "--experts", "llm", "--model", "missing", "-fc", "f", "absent", status=3)
    things("-q", "--experts", "llm", "--model", "missing", "-fc", "absent", "f", status=1)


def test_a_wrong_command_line_is_told_always(things):
    for arguments in (["-qq", "--nonsense"], ["-qq", "-zd", "f"], ["-qq", "-c", "-o", "x", "f"]):
        assert things(*arguments, status=2).stderr.startswith(b"smll: ")


def test_spellings(things):
    text = things.path("f").read_bytes()
    assert things("-dcf", "f.smll").stdout == text == things("f.smll", "-d", "-c").stdout
    things("-dkf", "f.smll")
    assert things("-1vf", "f").stderr.startswith(b"f: ") and things("-vv1f", "f").stderr.startswith(b"f: ")
    things("-1kfT4", "f")
    things("-f", "-T", "2", "f", "-1", "--threads=3")
    things("-1", "f", "-o", "first", "-o", "second")
    assert things.path("second").exists() and not things.path("first").exists()
    things("-f", "-1", "-o", "second", "--", "f")
    assert things("-dc", "--", "second").stdout == text
    assert things("-1c", "--", "-", input=text).stdout == things("-1c", input=text).stdout
