"""Several files at once: what is written and said is what one run after another writes and says."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import time

import pytest
from conftest import lines, noise
from preload import FEW_THREADS, preload

MODEL_OPTIONS = ["--experts", "llm", "--window", "64"]

# A file whose name holds FIRST gets its name only once FILE is there.
FIRST_IS_LAST = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fsync(int fd) {
  char link[64], path[4096] = "";
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, getenv("FIRST"))) {
    while (access(getenv("FILE"), F_OK) != 0) usleep(1000);
  }
  return 0;
}
"""
# A thread that is not the main one reads a file whose name holds FIRST only after one whose name holds LATER was read, and
# makes a file TOGETHER then.
FIRST_IS_READ_LAST = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int later;

ssize_t read(int fd, void* to, size_t size) {
  ssize_t (*real)(int, void*, size_t) = dlsym(RTLD_NEXT, "read");
  char link[64], path[4096] = "";
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  if (getpid() != gettid() && readlink(link, path, sizeof(path) - 1) > 0) {
    if (strstr(path, getenv("LATER"))) later = 1;
    if (strstr(path, getenv("FIRST"))) {
      while (!later) usleep(1000);
      close(creat(getenv("TOGETHER"), 0600));
    }
  }
  return real(fd, to, size);
}
"""
NOTHING_IS_NAMED = """
#include <unistd.h>
int fsync(int fd) { while (1) pause(); }
"""


@pytest.fixture
def options(test_model):
    return ["--model", test_model, *MODEL_OPTIONS]


def tree(directory):
    """Contents by name."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def one_by_one(smll, options, inputs, copy):
    """Runs the program on each input in `copy`, a copy of its directory made before, and returns all it said, the first
    status that is not 0, and what is there then."""
    said, status = b"", 0
    for name in inputs:
        result = subprocess.run([smll.binary, *options, name], cwd=copy, capture_output=True, timeout=300)
        said += result.stderr
        status = status or result.returncode
    return said, status, tree(copy)


def check_as_one_by_one(smll, tmp_path_factory, options, inputs):
    copy = tmp_path_factory.mktemp("copies") / "copy"
    subprocess.run(["cp", "-a", smll.directory, copy], check=True)  # hard links, too
    said, status, there = one_by_one(smll, options, inputs, copy)
    result = smll(*options, *inputs, status=None)
    assert result.stderr == said
    assert result.returncode == status
    assert tree(smll.directory) == there
    return result


def texts(smll, count, size=300):
    names = [f"t{i:03}" for i in range(count)]
    for i, name in enumerate(names):
        smll.write(name, lines(size + 7 * i, seed=i + 1))
    return names


def archives(smll, options, count, size=300):
    names = texts(smll, count, size)
    smll(*options, *names)
    for name in names:
        smll.path(name).rename(smll.path(name + ".whole"))
    return [name + ".smll" for name in names]


def test_both_ways(smll, options, tmp_path_factory):
    names = texts(smll, 40)
    check_as_one_by_one(smll, tmp_path_factory, ["-v", *options], names)
    contents = tree(smll.directory)
    for name in names:
        smll.path(name).unlink()
    check_as_one_by_one(smll, tmp_path_factory, ["-dv", *options], [name + ".smll" for name in names])
    assert tree(smll.directory) == contents


def test_all_methods_and_sizes(smll, test_model, tmp_path_factory):
    sizes = [0, 1, 20_000, 300, 200_000, 70_000, 5, 0, 400]
    names = []
    for i, size in enumerate(sizes):
        names.append(f"f{i}")
        smll.write(names[-1], noise(size, i) if i % 2 else b"abc" * (size // 3) + lines(size % 3000, i + 1))
    level = ["-v", "--model", test_model, "--window", "64", "--experts"]
    check_as_one_by_one(smll, tmp_path_factory, [*level, "cm-fast"], names[:6])
    check_as_one_by_one(smll, tmp_path_factory, [*level, "llm"], names[6:])
    whole = tree(smll.directory)
    for name in names:
        smll.path(name).unlink()
    inputs = [name + ".smll" for name in names]
    check_as_one_by_one(smll, tmp_path_factory, [*level, "all", "-t"], inputs)
    check_as_one_by_one(smll, tmp_path_factory, [*level, "all", "-d", "--rm"], inputs)
    assert tree(smll.directory) == {name: data for name, data in whole.items() if name in names}


@pytest.mark.parametrize("action", [["-t"], ["-d"], ["-d", "--rm"], ["-d", "-q"], ["-d", "--keep-going", "--rm"]])
def test_damaged_ones_among_others(smll, options, tmp_path_factory, action):
    """They say so in their turn, set the status, keep their sources and hurt no other."""
    inputs = archives(smll, [*options, "--frame-size", "200"], 40)
    damaged_ones = inputs[5:40:9]
    for name in damaged_ones:
        damaged = bytearray(smll.path(name).read_bytes())
        damaged[-40] ^= 1
        smll.path(name).write_bytes(bytes(damaged))
    inputs.insert(7, "missing.smll")
    inputs.insert(20, "t000.whole")
    smll.path("directory.smll").mkdir()
    inputs.insert(30, "directory.smll")
    result = check_as_one_by_one(smll, tmp_path_factory, ["-v", *action, *options], inputs)
    assert result.returncode == 1
    positions = [result.stderr.index(name.encode()) for name in inputs if name.encode() in result.stderr]
    assert len(positions) > 4 and positions == sorted(positions)
    left = [name for name in inputs if smll.path(name).exists()]
    if "--rm" in action:
        assert sorted(left) == sorted([*damaged_ones, "t000.whole", "directory.smll"])


def test_the_first_failure_gives_the_status(smll, options, other_model, tmp_path_factory):
    inputs = archives(smll, options, 6)
    smll.write("t006", b"another model's")
    smll("--model", other_model, *MODEL_OPTIONS, "t006")
    smll.path("t006").unlink()
    for order, status in ((["t006.smll", "no.smll", *inputs], 3), (["no.smll", *inputs, "t006.smll"], 1)):
        result = check_as_one_by_one(smll, tmp_path_factory, ["-t", *options], order)
        assert result.returncode == status


def test_messages_in_order_though_the_first_is_done_last(smll, options, tmp_path_factory):
    inputs = archives(smll, options, 12)
    environment = preload(tmp_path_factory.mktemp("library"), FIRST_IS_LAST)
    environment |= {"FIRST": "t000", "FILE": str(smll.path("t011"))}
    said = smll("-dv", *options, *inputs, env=environment).stderr.decode()
    assert re.findall(r"^(\S+):", said, re.MULTILINE) == inputs


def test_interruption_leaves_nothing_partial(smll, options, tmp_path_factory):
    inputs = archives(smll, options, 40)
    before = set(tree(smll.directory))
    environment = preload(tmp_path_factory.mktemp("library"), NOTHING_IS_NAMED)
    process = subprocess.Popen(
        [smll.binary, "-d", *options, *inputs], cwd=smll.directory, env={**os.environ, **environment}
    )
    # As many as may be in work, and no more.
    while len(set(tree(smll.directory)) - before) < 32:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM
    assert set(tree(smll.directory)) == before


def test_more_files_than_wait_for_their_turn(smll):
    names = texts(smll, 300, size=20)
    smll("-1", "-q", *names)
    for name in names[::3]:
        smll.path(name).unlink()
    result = smll("-d", *[name + ".smll" for name in names], status=1)
    said = result.stderr.decode().splitlines()
    assert [line.split(":")[1].strip() for line in said] == [name + ".smll" for name in names if names.index(name) % 3]
    assert all(smll.path(name).exists() for name in names)


def test_directories(smll, options, tmp_path_factory):
    for directory in ("d", "d/inner", "d/inner/more", "e"):
        smll.path(directory).mkdir()
        for i in range(5):
            smll.write(f"{directory}/t{i}", lines(100 + i, i + 1))
    inputs = ["d", "e", "d/inner", "e/t0", "e"]
    # A directory is worked on once a run, so that each run of its own would say more.
    result = smll("-rv", *options, *inputs, status=1)
    said = re.findall(r"^(?:smll: )?(\S+):", result.stderr.decode(), re.MULTILINE)
    inner = [f"d/inner/more/t{i}" for i in range(5)] + [f"d/inner/t{i}" for i in range(5)]
    assert said == [*inner, *[f"d/t{i}" for i in range(5)], *[f"e/t{i}" for i in range(5)], "e/t0"]
    assert b"e/t0: e/t0.smll already exists" in result.stderr
    assert sum(name.endswith(".smll") for name in tree(smll.directory)) == 20
    check_as_one_by_one(smll, tmp_path_factory, ["-rdf", *options], ["d", "e"])


@pytest.mark.parametrize("force", [[], ["-f"]])
@pytest.mark.parametrize("remove", [[], ["--rm"]])
def test_files_that_have_to_do_with_each_other(smll, options, tmp_path_factory, force, remove):
    """The same name twice, by another path, by links of both kinds; an output that is a later input."""
    texts(smll, 4)
    smll.path("d").mkdir()
    os.link(smll.path("t001"), smll.path("hard"))
    smll.path("soft").symlink_to("t002")
    smll.path("later").symlink_to("t003.smll")
    inputs = ["t000", "t000", "./t000", "d/../t000", "t001", "hard", "t002", "soft", "t000.smll", "t003", "later"]
    inputs += ["t003.smll", "d/../t003.smll.smll"]
    check_as_one_by_one(smll, tmp_path_factory, ["-v", *options, *force, *remove], inputs)


def test_a_directory_listed_while_files_are_written_to_it(smll, options):
    """Nothing of what the run itself is about to make there is found."""
    smll.path("d").mkdir()
    names = [f"d/t{i}" for i in range(6)]
    for name in names:
        smll.write(name, lines(400))
    result = smll("-r", *options, *names, "d", status=1)
    assert result.stderr.count(b"already exists") == 6
    assert sorted(tree(smll.directory)) == sorted([*names, *[name + ".smll" for name in names]])


@pytest.mark.parametrize("action", ["-z", "-d", "-t"])
def test_statistics_are_the_sums(smll, options, action):
    inputs = archives(smll, options, 20)
    if action == "-z":
        inputs = [name.replace(".smll", ".whole") for name in inputs]
    smll.write("bad.smll", b"no archive")
    smll(action, *options, *inputs, "bad.smll", "--stats", "all.json", "-f", status=0 if action == "-z" else 1)
    whole = json.loads(smll.path("all.json").read_bytes())
    sums = {"bytes_in": 0, "bytes_out": 0, "tokens": 0, "frames": 0}
    methods: dict[str, int] = {}
    for name in inputs + (["bad.smll"] if action == "-z" else []):
        smll(action, *options, "-f", name, "--stats", "one.json")
        one = json.loads(smll.path("one.json").read_bytes())
        for key in sums:
            sums[key] += one[key]
        for method, frames in one["methods"].items():
            methods[method] = methods.get(method, 0) + frames
    assert {key: whole[key] for key in sums} == sums
    assert whole["methods"] == methods and whole["fingerprint"] == one["fingerprint"]


def test_an_archive_that_needs_more_memory_than_its_share(smll, options):
    """It waits for the others and has all of it; more than that is refused as ever."""
    inputs = archives(smll, options, 8, size=3000)
    refused = smll("-t", "-M", "1", *options, *inputs, status=1).stderr.decode()
    assert refused.count("\n") == 8
    needed = re.findall(r"allow more with -M (\d+)M", refused)
    most = max(int(size) for size in needed)
    assert most > 0
    smll("-d", "-M", f"{most}M", *options, *inputs)
    for name in inputs:
        assert smll.path(name[:-5]).read_bytes() == smll.path(name[:-5] + ".whole").read_bytes()


def test_few_open_files_are_enough(smll, options):
    inputs = archives(smll, options, 30)
    subprocess.run(
        [smll.binary, "-d", *options, *inputs],
        cwd=smll.directory,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)),
        check=True,
        timeout=300,
    )
    for name in inputs:
        assert smll.path(name[:-5]).read_bytes() == smll.path(name[:-5] + ".whole").read_bytes()


@pytest.mark.parametrize("left", [0, 1, 5])
def test_threads_that_cannot_be_started(smll, options, tmp_path_factory, left):
    inputs = archives(smll, options, 20)
    few = {**preload(tmp_path_factory.mktemp("library"), FEW_THREADS), "THREADS_LEFT": str(left)}
    smll("-dT4", *options, *inputs, env=few)
    for name in inputs:
        assert smll.path(name[:-5]).read_bytes() == smll.path(name[:-5] + ".whole").read_bytes()


def test_one_progress_line_for_all(smll, options, tmp_path_factory):
    """With one output that is never finished before it shows."""
    inputs = archives(smll, options, 12)
    leader, follower = pty.openpty()
    environment = preload(tmp_path_factory.mktemp("library"), FIRST_IS_LAST)
    environment |= {"FIRST": "t005", "FILE": str(smll.path("go on"))}
    process = subprocess.Popen(
        [smll.binary, "-d", *options, *inputs],
        cwd=smll.directory,
        env={**os.environ, **environment},
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while b"5/12 files" not in shown:
        shown += os.read(leader, 4096)
    smll.path("go on").touch()
    assert process.wait(timeout=60) == 0
    os.close(leader)
    assert re.search(rb"5/12 files .* / .*%", shown)


def one_by_one_to_standard_output(smll, options, inputs):
    results = [smll(*options, name, status=None) for name in inputs]
    status = next((result.returncode for result in results if result.returncode), 0)
    return b"".join(result.stdout for result in results), b"".join(result.stderr for result in results), status


def check_standard_output(smll, options, inputs, **more):
    result = smll(*options, *inputs, status=None, **more)
    assert (result.stdout, result.stderr, result.returncode) == one_by_one_to_standard_output(smll, options, inputs)
    return result


def test_standard_output_keeps_its_order(smll, options):
    inputs = archives(smll, options, 20)
    whole = b"".join(smll.path(name[:-5] + ".whole").read_bytes() for name in inputs)
    assert check_standard_output(smll, ["-dcv", *options], inputs).stdout == whole
    texts = [name[:-5] + ".whole" for name in inputs]
    assert smll("-d", *options, input=check_standard_output(smll, ["-cv", *options], texts).stdout).stdout == whole


def test_standard_output_is_worked_on_at_once(smll, options, tmp_path_factory):
    """Files were worked on one after the other."""
    inputs = archives(smll, options, 12)
    environment = preload(tmp_path_factory.mktemp("library"), FIRST_IS_READ_LAST)
    together = smll.path("together")
    environment |= {"FIRST": inputs[0], "LATER": inputs[5], "TOGETHER": str(together)}
    whole = b"".join(smll.path(name[:-5] + ".whole").read_bytes() for name in inputs)
    assert smll("-dc", *options, *inputs, env=environment).stdout == whole
    assert together.exists()


def test_damage_among_what_goes_to_standard_output(smll, options):
    """What can be restored of it comes in its place, as do other files, empty ones and those that are none."""
    inputs = archives(smll, [*options, "--frame-size", "200"], 20)
    for name in inputs[5:20:9]:
        damaged = bytearray(smll.path(name).read_bytes())
        damaged[-40] ^= 1
        smll.path(name).write_bytes(bytes(damaged))
    smll.write("empty", b"")
    smll.write("none", b"no archive")
    inputs[3:3] = ["empty", "missing.smll", "none"]
    for extra in ([], ["-f"], ["--keep-going"], ["-q"]):
        result = check_standard_output(smll, ["-dc", *extra, *options], inputs)
        assert result.returncode == 1 and len(result.stdout) > 1000


def test_output_that_is_too_large_to_be_kept(smll):
    """A damaged archive may hold anything: its file is worked on again, alone."""
    smll.write("large", noise(9_000_000))
    smll.write("small", b"small")
    smll("-1", "large", "small")
    archive = smll.path("large.smll").read_bytes()
    smll.write("cut.smll", archive[: len(archive) - 30])
    inputs = ["small.smll", "cut.smll", "small.smll", "large.smll", "small.smll"]
    result = check_standard_output(smll, ["-dc"], inputs)
    assert len(result.stdout) > 9_000_000


def test_standard_output_that_is_full(smll, options):
    """Each file says so, as if it were alone."""
    inputs = archives(smll, options, 6)
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [smll.binary, "-dcv", *options, *inputs], cwd=smll.directory, stdout=full, stderr=subprocess.PIPE
        )
    said = result.stderr.decode().splitlines()
    assert [line.split(":")[1].strip() for line in said[:6]] == inputs and len(said) >= 6
    assert all("cannot write standard output" in line for line in said)
    assert result.returncode == 1
