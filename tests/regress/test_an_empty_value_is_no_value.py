"""An empty value (`-o ""`, a variable that is not set) was as if the option was not there, `--backend=` took the next
argument for its value, and --learn=nonsense meant --no-learn."""

import os

import pytest

OPTIONS = ["--output", "--experts", "--backend", "--frame-size", "--range", "--stats", "--model", "--isa", "--threads"]


@pytest.mark.parametrize("option", OPTIONS)
def test_it_is_an_error(smll, option):
    smll.write("f", b"text")
    for spelling in ([option, ""], [option + "="]):
        assert option.encode() in smll("-1", *spelling, "f", status=2).stderr
    assert os.listdir(smll.directory) == ["f"]


def test_other_values(smll):
    smll.write("f", b"text")
    smll("-1", "-o", "", "f", status=2)
    smll("-1", "--flush=", "f", status=2)
    smll("-1", "--learn=nonsense", "f", status=2)
    smll("-1", "--force=nonsense", "f", status=2)
    smll("-1", "--learn=false", "f")
    smll("-1", "-f", "f", env={"SMLL_ISA": ""})
