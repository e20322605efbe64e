"""-M did not count what a dictionary takes: with one, decoding took several times the memory that was allowed."""

import re
import subprocess
import sys

import pytest
from conftest import lines

# In a process of its own: what a child's peak is counted from is the memory of the process that started it.
PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
"""


@pytest.fixture
def peak_mib(binary, tmp_path):
    def measure(*arguments):
        done = subprocess.run([sys.executable, "-c", PEAK, str(binary), *arguments], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
        status, peak = map(int, done.stdout.split())
        assert status == 0
        return peak

    return measure


def test_it_is_counted(smll, test_model, peak_mib):
    text = lines(800, 2)
    smll.write("sample", lines(60_000))
    smll.write("text", text)
    with_model = ["-T", "1", "--model", test_model]
    for options in (["--window", "128"], ["--window", "128", "--learn"]):
        smll("-f", "-o", "text.smll", *options, *with_model, "-D", "sample", "text")
        decode = [*with_model, "-D", "sample", "text.smll"]
        for action in ("-dc", "-t"):
            refused = smll(action, "-M", "24M", *decode, status=1)
            assert refused.stdout == b"" and b"the limit is 24 MiB" in refused.stderr
        needed = int(re.search(rb"allow more with -M (\d+)M", refused.stderr)[1])
        assert smll("-dc", "-M", f"{needed}M", *decode).stdout == text
        assert smll("-dc", "-M", f"{needed - 1}M", *decode, status=1).stdout == b""
        # The program and the model's weights are not counted.
        assert peak_mib("-t", "-M", f"{needed}M", *decode) <= needed + peak_mib("models", "info", "--backend", "exact", test_model)
