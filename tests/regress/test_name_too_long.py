"""That the output's name is too long showed only when all the work was done, when the finished file was to get it."""

import subprocess


def test_shows_before_the_work(smll):
    process = subprocess.Popen([smll.binary, "-1", "-o", "n" * 300], cwd=smll.directory, stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.wait(timeout=60) == 1  # while its input has not ended
    assert b"too long" in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_longest_names(smll):
    name = "n" * 250
    smll.write(name, b"data")
    smll("-1", "--rm", name)
    smll("-d", "--rm", name + ".smll")
    assert smll.path(name).read_bytes() == b"data"
    smll.write("n" * 255, b"data")
    smll("-1", "n" * 255, status=1)
    assert sorted(path.name for path in smll.directory.iterdir()) == [name, "n" * 255]
