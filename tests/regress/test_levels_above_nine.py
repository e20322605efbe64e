"""-22 was read as -2 -2, -19 as -1 -9, and -10 as -1 and a file named -0; of -9 -1 the higher level counted, not the last."""

import pytest
from conftest import lines


@pytest.mark.parametrize("arguments", [["-10"], ["-22"], ["-k19"], ["-0"], ["--ultra", "-22"], ["-1", "-c99f"]])
def test_there_is_no_such_level(smll, arguments):
    smll.write("f", b"text")
    result = smll(*arguments, "f", status=2)
    assert b"there is no level" in result.stderr and b"-1 to -9" in result.stderr and result.stdout == b""
    assert not smll.path("f.smll").exists()


def test_options_of_others(smll):
    smll.write("f", b"text")
    assert b"levels are -1 to -9" in smll("--ultra", "f", status=2).stderr
    assert b"smll bench" in smll("-b", "f", status=2).stderr
    assert b"unknown option --nonsense" in smll("--nonsense", "f", status=2).stderr
    assert b"unknown option -y" in smll("-1ky", "f", status=2).stderr


def test_digits_of_values_and_files(smll):
    smll.write("-22", b"text")
    smll("-T16", "-1", "--", "-22")
    assert smll("-dc", "./-22.smll").stdout == b"text"
    smll("-1", "-o10", "./-22")
    assert smll.path("10").exists()


def test_the_last_level_counts(smll):
    smll.write("f", lines(3000))
    first, second = smll("-1", "-c", "f").stdout, smll("-2", "-c", "f").stdout
    assert first != second
    assert smll("-2", "-1", "-c", "f").stdout == first == smll("--best", "--fast", "-c", "f").stdout
    assert smll("-1", "-c", "f", "-2").stdout == second == smll("-1k2c", "f").stdout
