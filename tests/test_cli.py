"""The program's habits: names, terminals, signals, full disks."""

import json
import os
import pty
import random
import select
import signal
import stat
import subprocess
import time

import pytest
from conftest import lines, noise


def test_keeps_the_file_and_its_mode_and_time(smll):
    path = smll.write("f", b"hello" * 100)
    os.chmod(path, 0o640)
    os.utime(path, (1_000_000_000, 1_200_000_000))
    smll("-1", "f")
    archive = smll.path("f.smll")
    assert path.exists()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o640
    assert archive.stat().st_mtime == 1_200_000_000
    smll("-d", "-f", "f.smll")
    assert path.read_bytes() == b"hello" * 100
    assert path.stat().st_mtime == 1_200_000_000


def test_rm_removes_only_after_success(smll):
    path = smll.write("f", b"hello")
    smll("-1", "--rm", "f")
    assert not path.exists()
    smll("-d", "--rm", "f.smll")
    assert path.read_bytes() == b"hello"
    assert not smll.path("f.smll").exists()
    smll.write("bad.smll", b"\xf3ml\x81garbage")
    smll("-d", "--rm", "bad.smll", status=1)
    assert smll.path("bad.smll").exists()


def test_does_not_overwrite_without_force(smll):
    smll.write("f", b"new")
    smll.write("f.smll", b"precious")
    result = smll("-1", "f", status=1)
    assert b"already exists" in result.stderr
    assert smll.path("f.smll").read_bytes() == b"precious"
    smll("-1", "-f", "f")
    assert smll("-dc", "f.smll").stdout == b"new"


def test_several_files_go_on_after_an_error(smll):
    smll.write("a", b"a")
    smll.write("b", b"b")
    smll("-1", "a", "missing", "b", status=1)
    assert smll.path("a.smll").exists() and smll.path("b.smll").exists()


def test_suffixes(smll):
    smll.write("f", b"f")
    smll("-1", "f")
    assert b"already has" in smll("-1", "f.smll", status=1).stderr
    assert b"does not end in" in smll("-d", "f", status=1).stderr
    smll("-d", "-o", "g", "f.smll")
    assert smll.path("g").read_bytes() == b"f"


def test_directories(smll):
    smll.write("d/a.txt", b"a")
    smll.write("d/e/b.txt", b"b")
    os.symlink("a.txt", smll.path("d/link"))
    assert b"directory" in smll("-1", "d", status=1).stderr
    smll("-1", "-r", "--rm", "d")
    names = sorted(str(p.relative_to(smll.path("d"))) for p in smll.path("d").rglob("*"))
    assert names == ["a.txt.smll", "e", "e/b.txt.smll", "link"]
    smll("-d", "-r", "--rm", "d")
    assert smll.path("d/e/b.txt").read_bytes() == b"b"


def test_symbolic_links(smll):
    smll.write("f", b"f")
    os.symlink("f", smll.path("link"))
    assert b"symbolic link" in smll("-1", "link", status=1).stderr
    assert smll("-d", input=smll("-1", "-c", "link").stdout).stdout == b"f"
    smll("-1", "-f", "link")
    assert smll("-dc", "link.smll").stdout == b"f"


def test_input_and_output_must_differ(smll):
    smll.write("f", b"f")
    smll("-1", "-f", "f", "-o", "f", status=2)
    assert smll.path("f").read_bytes() == b"f"


def test_standard_streams(smll):
    archive = smll("-1", "-", input=b"data").stdout
    assert smll("-d", "-c", "-", input=archive).stdout == b"data"
    smll("-1", "-o", "out", input=b"data")
    assert smll("-d", "-c", "out").stdout == b"data"
    smll.write("f", b"file")
    both = smll("-1", "-c", "f", "-", input=b" stdin").stdout
    assert smll("-d", input=both).stdout == b"file stdin"


def test_other_names(smll):
    data = lines(3000)
    smll.write("f", data)
    smll("-1", "--rm", "f")
    for name in ("unsmll", "smllcat"):
        os.symlink(smll.binary, smll.path(name))
    run = {"cwd": smll.directory, "stdout": subprocess.PIPE, "check": True}
    assert subprocess.run(["./smllcat", "f.smll"], **run).stdout == data
    assert subprocess.run(["./smllcat", "-"], input=b"no archive", **run).stdout == b"no archive"
    assert subprocess.run(["./unsmll", "f.smll"], **run).stdout == b""
    assert smll.path("f").read_bytes() == data


def test_test_and_list(smll):
    smll.write("f", lines(10000))
    smll("-1", "f")
    assert smll("-t", "-v", "f.smll").stderr == b"f.smll: OK\n"
    assert smll("-t", "f.smll").stderr == b""
    listing = smll("-l", "f.smll").stdout.decode()
    size = smll.path("f.smll").stat().st_size
    assert f" {size} " in listing and " 10000 " in listing and "f.smll" in listing
    assert "frame 0" in smll("-lv", "f.smll").stdout.decode()
    smll("-t", "f", status=1)
    smll("-l", "f", status=1)


def test_range_decodes_only_what_it_needs(smll):
    data = lines(200_000)
    smll.write("f", data)
    smll("-1", "--frame-size", "10000", "f")
    listing = smll("-l", "f.smll").stdout.decode()
    assert " 20 " in listing
    result = smll("-d", "-c", "--range", "101000:500", "--stats", "s.json", "f.smll")
    assert result.stdout == data[101_000:101_500]
    assert json.loads(smll.path("s.json").read_text())["frames"] == 1
    assert smll("-d", "-c", "--range", "199990:", "f.smll").stdout == data[199_990:]
    # A pipe has no index, and ranges work all the same.
    archive = smll.path("f.smll").read_bytes()
    assert smll("-d", "--range", "9999:2", input=archive).stdout == data[9999:10001]
    assert smll("-d", "-c", "--range", "x:2", "f.smll", status=2).stdout == b""


def test_stats(smll):
    smll.write("f", lines(5000))
    smll("-1", "f", "--stats", "s.json")
    stats = json.loads(smll.path("s.json").read_text())
    assert stats["bytes_in"] == 5000
    assert stats["bytes_out"] == smll.path("f.smll").stat().st_size
    assert stats["frames"] == 1
    keys = "tokens seconds model_seconds lanes guesses guesses_right methods backend isa device threads experts fingerprint"
    assert set(keys.split()) <= set(stats) and "arithmetic" in stats
    # Standard output belongs to one of the two.
    assert json.loads(smll("-1", "-f", "f", "--stats", "-").stdout)["bytes_in"] == 5000


def test_stats_of_guesses(smll, test_model):
    """Tokens that a lane alone feeds before they are known: only where it is decoded, and most hold in what repeats."""
    options = ["--model", test_model, "--window", "64", "--experts", "llm"]
    smll.write("f", b"the same words in each line\n" * 40)
    for name, arguments in (("z", ["-k"]), ("d", ["-d", "-c"]), ("lanes", ["-f", "--lanes", "3"]), ("t", ["-t"])):
        smll(*options, *arguments, "f" if name in ("z", "lanes") else "f.smll", "--stats", f"{name}.json")
    stats = {name: json.loads(smll.path(f"{name}.json").read_text()) for name in ("z", "d", "lanes", "t")}
    assert stats["z"]["guesses"] == stats["lanes"]["guesses"] == stats["t"]["guesses"] == 0
    assert stats["d"]["guesses"] >= stats["d"]["guesses_right"] > stats["d"]["tokens"] // 3


def test_usage_errors_are_status_2(smll):
    for arguments in (["--no-such"], ["-T", "x"], ["-o", "a", "b", "c"], ["--experts", "none"],
                      ["--lanes", "99"], ["-c", "-o", "x"], ["--keep-going", "f"], ["-z", "-d"]):
        assert smll(*arguments, status=2).stderr
    assert b"Usage" in smll("--help").stdout
    assert smll("--version").stdout.startswith(b"smll ")


def test_models_list_and_info(smll, test_model):
    assert b"smollm2-135m" in smll("models").stdout
    assert b"fingerprint" in smll("models", "info", test_model).stdout
    assert test_model.encode() in smll("models", "list").stdout
    smll("models", "info", "no-such", status=3)
    smll("models", "pull", "no-such", status=3)
    smll("models", "nonsense", status=2)


def test_missing_and_damaged_models(smll):
    smll("--experts", "llm", "--model", "no-such.gguf", input=b"text", status=3)
    smll.write("bad.gguf", b"GGUF" + noise(1000))
    smll("--experts", "llm", "--model", "bad.gguf", input=b"text", status=3)


def on_terminal(smll, *arguments, input=None):
    """Runs with standard output and error on a terminal; gives status and what the terminal shows."""
    ours, theirs = pty.openpty()
    stdin = subprocess.DEVNULL if input is None else theirs
    process = subprocess.Popen([smll.binary, *arguments], cwd=smll.directory, stdin=stdin,
                               stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.wait(timeout=60), shown


def test_terminal_is_never_fed_binary(smll):
    smll.write("f", lines(1000))
    status, shown = on_terminal(smll, "-1", "-c", "f")
    assert status == 1 and b"terminal" in shown and b"\xf3" not in shown
    status, shown = on_terminal(smll, "-1", "-c", "-f", "f")
    assert status == 0 and b"\xf3ml" in shown
    smll("-1", "f")
    status, shown = on_terminal(smll, "-d", "-c", "f.smll")
    assert status == 0 and lines(1000)[:20] in shown
    smll.write("binary", bytes(range(256)))
    smll("-1", "binary")
    status, shown = on_terminal(smll, "-d", "-c", "binary.smll")
    assert status == 1 and b"garble" in shown


def test_terminal_is_not_read_from(smll):
    status, shown = on_terminal(smll, "-d", input="terminal")
    assert status == 1 and b"terminal" in shown


def test_progress_only_on_a_terminal(smll):
    smll.write("f", noise(1 << 18))
    assert b"\r" not in smll("-1", "f", "-o", "x").stderr
    status, shown = on_terminal(smll, "-1", "-f", "f", "-o", "x")
    assert status == 0 and b"=>" in shown
    status, shown = on_terminal(smll, "-1", "-q", "-f", "f", "-o", "x")
    assert status == 0 and shown == b""


def wait_until(condition):
    """A minute is no criterion, only an end of waiting."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("what was waited for never came")


def partial_files(smll):
    return [p.name for p in smll.directory.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing(smll, number):
    smll.write("f", lines(1 << 20) * 30)
    # Whoever started the tests may ignore the signal, as shells do for what they run in the background.
    process = subprocess.Popen([smll.binary, "-1", "f"], cwd=smll.directory,
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    wait_until(lambda: partial_files(smll))
    process.send_signal(number)
    assert process.wait(timeout=30) == -number
    assert sorted(p.name for p in smll.directory.iterdir()) == ["f"]


def test_kill_never_leaves_a_partial_file_under_the_final_name(smll):
    data = lines(1 << 18)
    smll.write("f", data)
    rng = random.Random(5)
    for _ in range(25):
        process = subprocess.Popen([smll.binary, "-1", "-f", "f"], cwd=smll.directory)
        time.sleep(rng.random() * 0.3)
        process.kill()
        process.wait()
        assert smll.path("f").read_bytes() == data
        if smll.path("f.smll").exists():
            smll("-t", "f.smll")
        for name in partial_files(smll):
            smll.path(name).unlink()


def test_two_processes_on_one_output(smll):
    smll.write("f", lines(1 << 18))
    runs = [subprocess.Popen([smll.binary, "-1", "f"], cwd=smll.directory, stderr=subprocess.PIPE)
            for _ in range(4)]
    statuses = sorted(run.wait() for run in runs)
    for run in runs:
        run.stderr.close()
    assert statuses[0] == 0 and set(statuses) <= {0, 1}
    smll("-t", "f.smll")
    assert partial_files(smll) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk(smll):
    small = smll.path("small")
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        smll.write("f", noise(200_000))
        result = smll("-1", "f", "-o", "small/out", status=1)
        assert b"No space left" in result.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
    with open("/dev/full", "wb") as full:
        result = subprocess.run([smll.binary, "-1", "-c", "f"], cwd=smll.directory, stdout=full,
                                stderr=subprocess.PIPE)
    assert result.returncode == 1 and b"No space left" in result.stderr


def test_no_permission(smll):
    if os.geteuid() == 0:
        pytest.skip("root may do everything")
    path = smll.write("f", b"f")
    os.chmod(path, 0)
    assert b"Permission denied" in smll("-1", "f", status=1).stderr


def test_flush_makes_a_growing_log_readable(smll):
    process = subprocess.Popen([smll.binary, "-1", "--flush=0.2"], cwd=smll.directory,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"first line\n")
    process.stdin.flush()
    early, result = b"", None
    while result is None or result.stdout == b"":
        assert select.select([process.stdout], [], [], 60)[0], "nothing comes without more input"
        early += os.read(process.stdout.fileno(), 65536)
        result = smll("-d", input=early, status=1)
    assert result.stdout == b"first line\n" and b"cut" in result.stderr
    process.stdin.write(b"second line\n")
    process.stdin.close()
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    assert smll("-d", input=early + rest).stdout == b"first line\nsecond line\n"
