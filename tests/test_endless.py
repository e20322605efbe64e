"""No input takes time without bound, and memory does not grow with the input."""

import os
import subprocess

import pytest
from conftest import lines, noise

ENGLISH = lines(50_000)
STRANGE = {
    "one line": ENGLISH.replace(b"\n", b" "),
    "no space": ENGLISH.replace(b"\n", b"").replace(b" ", b""),
    "spaces": b" " * len(ENGLISH),
    "one letter": b"a" * len(ENGLISH),
}


def run(smll, *arguments, input):
    """Output and processor seconds of one run, from a pipe."""
    with open(smll.path("out"), "wb") as out:
        process = subprocess.Popen([smll.binary, *map(str, arguments)], cwd=smll.directory,
                                   stdin=subprocess.PIPE, stdout=out)
    process.stdin.write(input)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return smll.path("out").read_bytes(), usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("options", [["-1"], ["-2"]], ids=" ".join)
def test_no_input_takes_time_without_bound(smll, test_model, options):
    """Work that grows with the square of the input would be some thousand times English's; ten times, in processor time,
    leaves room for what else the machine does. How fast smll is, is the benchmarks' matter."""
    options = [*options, "--model", test_model, "-T", 1]
    restore = ["-d", *options[-4:]]
    archive, english = run(smll, *options, input=ENGLISH)
    _, english_back = run(smll, *restore, input=archive)
    for name, data in STRANGE.items():
        archive, there = run(smll, *options, input=data)
        back, back_again = run(smll, *restore, input=archive)
        assert back == data
        assert there <= 10 * english, name
        assert back_again <= 10 * english_back, name


def peak_memory(smll, *arguments, input):
    """Output and the most memory, in KB, of one run that reads a pipe. Asked before the last byte is given, of the
    process itself: what wait4() tells counts this one's memory from before the program began."""
    with open(smll.path("out"), "wb") as out:
        process = subprocess.Popen([smll.binary, *map(str, arguments)], cwd=smll.directory,
                                   stdin=subprocess.PIPE, stdout=out)
        process.stdin.write(input[:-1])
        process.stdin.flush()
        with open(f"/proc/{process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        process.stdin.write(input[-1:])
        process.stdin.close()
        assert process.wait() == 0
    return smll.path("out").read_bytes(), peak


@pytest.mark.parametrize("options", [["-1"], ["--lanes", "4"]], ids=" ".join)
def test_memory_is_constant(smll, test_model, options):
    frame = 65_536
    options = ["-T", 1, "--model", test_model, "--frame-size", frame, *options]
    peaks = []
    for frames in 10, 70:
        data = lines(frame) + noise(frame * frames)
        archive, there = peak_memory(smll, *options, input=data)
        back, back_again = peak_memory(smll, "-d", *options[:4], input=archive)
        assert back == data
        peaks.append((there, back_again))
    for few, many in zip(*peaks):
        assert many <= few + 4096  # 3.9 MB more went through
