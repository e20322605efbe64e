"""`smll *` ran a command where the first file is named models, bench or explain, and none of the files was compressed."""

import os
import subprocess

import pytest

COMMANDS = ["models", "bench", "explain"]


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_not_guessed(smll, name):
    for file in (name, "z"):
        smll.write(file, file.encode())
    for arguments in ([name, "z"], [name]):
        message = smll(*arguments, status=2).stderr
        assert b"./" + name.encode() in message and b"-- " + name.encode() in message
    smll("-1", "--", name, "z")
    assert smll("-dc", name + ".smll", "z.smll").stdout == name.encode() + b"z"
    smll("-1f", f"./{name}")
    smll("-1", "-f", name)
    assert sorted(os.listdir(smll.directory)) == sorted([name, "z", name + ".smll", "z.smll"])


def test_the_command_where_there_is_no_doubt(smll, test_model):
    smll.write("models", b"text")
    for arguments in (["list"], ["info", test_model], ["pull", test_model], ["--help"]):
        assert smll("models", *arguments).stdout
    smll.path("models").unlink()
    smll.path("models").mkdir()
    assert b"smollm2" in smll("models").stdout
    assert b"./models" in smll("models", "z", status=2).stderr
    smll.path("models").rmdir()
    smll.path("models").symlink_to("nowhere")
    smll("models", status=2)


def test_other_names_of_the_program_have_no_commands(smll):
    smll.write("models", b"text")
    smll("-1", "--", "models")
    smll.path("smllcat").symlink_to(smll.binary)
    done = subprocess.run(["./smllcat", "models"], cwd=smll.directory, capture_output=True, check=True)
    assert done.stdout == b"text"
