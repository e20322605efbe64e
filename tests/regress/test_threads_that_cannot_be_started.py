"""A thread that could not be started (a limit of processes or of memory, -T 1000) ended in std::terminate. The work goes
on with fewer threads, and the result is the same.
"""

import resource
import subprocess

import pytest
from conftest import lines, noise
from preload import FEW_THREADS, preload

TEXT = lines(33000)  # the model is asked about a sample first
DATA = lines(70000) + noise(70000)
OPTIONS = {
    "one lane": (["--experts", "llm", "--lanes", "1"], TEXT[:3000]),
    "a predictor a thread": (["--experts", "llm", "--lanes", "4"], TEXT[:3000]),
    "decoded in halves": (["--experts", "llm", "--lanes", "16"], TEXT[:6000]),
    "mixed, with an estimate": (["--experts", "all", "--lanes", "3"], TEXT),
    "learning": (["--experts", "llm", "--learn"], TEXT[:1000]),
    "frames without a model": (["--experts", "cm-fast", "--frame-size", "30000"], DATA),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_goes_on_with_fewer(smll, test_model, tmp_path, case):
    environment = preload(tmp_path, FEW_THREADS)
    options, text = OPTIONS[case]
    options = [*options, "--model", test_model, "--window", "64", "-c"]
    expected = smll("-T1", *options, input=text).stdout
    limits = ((4, 0), (4, 1), (4, 2), (1000, 3))
    for threads, left in limits[:1] if text == TEXT else limits:
        few = {**environment, "THREADS_LEFT": str(left)}
        assert smll(f"-T{threads}", *options, input=text, env=few).stdout == expected
        assert smll(f"-T{threads}", "-d", *options, input=expected, env=few).stdout == text


@pytest.mark.parametrize("left", [0, 1, 40])
def test_llama_needs_its_threads(smll, test_model, tmp_path, left):
    """What llama.cpp computes depends on the number of threads: it is refused where they cannot be had."""
    few = {**preload(tmp_path, FEW_THREADS), "THREADS_LEFT": str(left)}
    options = ["--backend", "llama", "--experts", "llm", "--model", test_model, "-c"]
    refused = smll("-T100", *options, input=b"a text", status=None, env=few)
    assert refused.returncode in (1, 3)  # llama.cpp takes threads for loading as well
    assert refused.stdout == b"" and b"smll: " in refused.stderr


@pytest.mark.parametrize("megabytes", [*range(200, 3200, 150), 2550])
def test_limit_of_memory(smll, test_model, binary, megabytes):
    """Done, or refused with a message; never ended by a signal, as glibc does where a thread that could just be started
    has no memory for a thread-local object.
    """
    command = [binary, "-T1000", "--experts", "llm", "--lanes", "4", "--model", test_model, "-c"]
    limit = megabytes << 20
    result = subprocess.run(
        command,
        input=TEXT[:3000],
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        timeout=300,
    )
    assert result.returncode in ((0, 1) if megabytes < 1000 else (0,)), result.stderr
    if result.returncode == 0:
        assert smll("-dc", "--model", test_model, input=result.stdout).stdout == TEXT[:3000]
    else:
        assert b"memory" in result.stderr and result.stdout == b""
