"""A file named [a] was taken for the file a, and [a,b] for two: the wrong data was compressed, or removed with --rm."""

import os

import pytest


@pytest.mark.parametrize("name", ["[a]", "[a,b]", "[]", "{a}", "'a'", '"a"', "`a`", "a=b", "a,b", "%a", "@a", "#a", "a "])
def test_names_are_taken_as_they_are(smll, name):
    smll.write("a", b"another file")
    smll.write("b", b"another file")
    smll.write(name, b"this file")
    smll("-1", "--rm", name)
    assert smll("-dc", name + ".smll").stdout == b"this file"
    smll("-d", "-o", name, "--", name + ".smll")
    assert smll.path(name).read_bytes() == b"this file"
    assert sorted(os.listdir(smll.directory)) == sorted({"a", "b", name, name + ".smll"})
