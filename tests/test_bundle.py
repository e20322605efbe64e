"""smll bundle: a directory that holds archives and all that opens them, as archivists keep such things (BagIt, RFC 8493)."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT
from golden_cases import TEXTS
from test_exact import GOLDEN, TEXT

sys.path.append(str(ROOT / "tests" / "golden"))
from write_errors import modelled  # noqa: E402

MIXED = TEXT.read_bytes()
NUMBERS = (TEXTS / "numbers.txt").read_bytes()
LLM, CM, DICTIONARY = (str(GOLDEN / f"{name}.smll") for name in ("llm", "cm", "dictionary-mixed"))


def files_of(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def lines_of(text):
    """A manifest's, as RFC 8493 has them."""
    rows = [re.fullmatch(r"([0-9a-f]{64})  (.+)", line).groups() for line in text.decode().splitlines()]
    return {path.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%"): digest for digest, path in rows}


def check_bag(directory):
    """What section 3 of RFC 8493 asks of a bag that is complete and valid."""
    files = files_of(directory)
    assert files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    payload = {path: data for path, data in files.items() if path.startswith("data/")}
    hashed = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    assert lines_of(files["manifest-sha256.txt"]) == {path: hashed[path] for path in payload}
    tags = set(files) - set(payload) - {"tagmanifest-sha256.txt"}
    assert lines_of(files["tagmanifest-sha256.txt"]) == {path: hashed[path] for path in tags}
    size = re.search(rb"^Payload-Oxum: (\d+)\.(\d+)$", files["bag-info.txt"], re.M)
    assert (int(size[1]), int(size[2])) == (sum(map(len, payload.values())), len(payload))
    return files


@pytest.fixture
def dictionary(smll):
    return smll.write("golden", MIXED[-6000:])


@pytest.fixture
def bag(smll, test_model, dictionary):
    said = smll("bundle", "-o", "bag", "--model", test_model, "-D", dictionary, LLM, CM, DICTIONARY).stdout.decode()
    assert said.startswith("bag: archives 3, models 1, dictionaries 1, ")
    return smll.path("bag")


def restored(smll, bag, name, *options, cache="data/cache"):
    result = subprocess.run([smll.binary, "-dc", *options, f"data/archives/{name}.smll"], cwd=bag, capture_output=True,
                            env={**os.environ, "SMLL_CACHE": str(cache)})
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_is_a_valid_bag(bag, test_model):
    files = check_bag(bag)
    model = os.path.basename(test_model)
    with open(test_model, "rb") as file:
        assert files[f"data/cache/models/{model}"] == file.read()
    with open(LLM, "rb") as file:
        assert files["data/archives/llm.smll"] == file.read()
    said = files["README.txt"].decode()
    assert re.search(rf"\nllm.smll\n    model:      {re.escape(model)}\n", said)
    assert re.search(r"\ncm.smll\n    needs no model\n", said)
    assert re.search(rf"\nModels:\n\n{re.escape(model)}\n    fingerprint: [0-9a-f]{{16}}\n    licence: ", said)
    assert re.search(r"\n    dictionary: [0-9a-f]{16}\.smlld\n", said) and "format 1, predictions 1" in said


def test_restores_wherever_it_lies(smll, bag, tmp_path):
    there = tmp_path / "else" / "where"
    there.parent.mkdir()
    bag.rename(there)
    before = files_of(there)
    for cache in ("data/cache", there / "data" / "cache"):
        assert restored(smll, there, "llm", cache=cache) == MIXED
        assert restored(smll, there, "dictionary-mixed", cache=cache) == MIXED[:600]
        assert restored(smll, there, "cm", cache=cache) == NUMBERS
    check_bag(there)
    assert files_of(there) == before


def test_restores_with_what_the_list_names(smll, bag, tmp_path):
    """A cache of one's own, empty."""
    [model] = (bag / "data/cache/models").iterdir()
    [dictionary] = (bag / "data/cache/dictionaries").iterdir()
    options = ["--model", str(model), "-D", str(dictionary)]
    assert restored(smll, bag, "dictionary-mixed", *options, cache=tmp_path / "empty") == MIXED[:600]
    assert restored(smll, bag, "llm", *options[:2], cache=tmp_path / "empty") == MIXED


def test_several_models(smll, test_model, family_model):
    """Found where they were used before; two of a name, and archives that are joined."""
    one, two = smll.path("one"), smll.path("two")
    one.mkdir(), two.mkdir()
    shutil.copy(test_model, one / "model.gguf")
    shutil.copy(family_model("qwen3"), two / "model.gguf")
    qwen3 = GOLDEN / "families" / "qwen3.smll"
    smll("-t", "--model", one / "model.gguf", LLM)
    smll("-t", "--model", two / "model.gguf", qwen3)
    with open(LLM, "rb") as file:
        smll.write("joined.smll", file.read() + qwen3.read_bytes())
    smll("bundle", "-o", "bag/", "joined.smll", LLM)
    assert set(path for path in check_bag(smll.path("bag")) if "models" in path) == {
        "data/cache/models/model.gguf", "data/cache/models/model-2.gguf"}
    shutil.rmtree(one), shutil.rmtree(two)
    assert restored(smll, smll.path("bag"), "joined") == MIXED + MIXED[:1000]


def test_names(smll):
    names = ["a/x.smll", "b/x.smll", "c/X.smll", "x-2.smll", "100%\r\n\x1b[2J.smll", "with space.smll"]
    with open(CM, "rb") as file:
        archive = file.read()
    for name in names:
        smll.write(name, archive)
    smll("bundle", "-o", "bag", *names, "a/x.smll")
    files = check_bag(smll.path("bag"))
    kept = {path.removeprefix("data/archives/") for path in files if path.startswith("data/archives/")}
    assert len(kept) == len({name.lower() for name in kept}) == len(names) + 1
    assert {"x.smll", "x-2.smll", "100%\r\n\x1b[2J.smll"} <= kept
    said = files["README.txt"]
    assert b"\x1b" not in said and b"\r" not in said and b"100%???[2J.smll" in said
    assert re.search(rb"\nx-[0-9].smll\n    was:        b/x.smll\n", said)
    refused = smll("bundle", "-o", "other", smll.write(os.fsdecode(b"\xff.smll"), archive), status=2)
    assert b"UTF-8" in refused.stderr


def test_into_an_empty_directory(smll):
    smll.path("bag").mkdir()
    smll("bundle", CM, "-o", "bag")
    check_bag(smll.path("bag"))


def test_refusals_leave_nothing(smll, test_model, dictionary):
    smll.write("full/file", b"")
    smll.write("text", b"text")
    smll.write("cut.smll", (GOLDEN / "frames.smll").read_bytes()[:-30])
    smll.write("llama.smll", modelled(flags=1))
    before = sorted(smll.directory.rglob("*"))
    model = ["--model", test_model]
    for said, status, *arguments in [
        ("no empty directory", 1, "-o", "full", CM),
        ("no empty directory", 1, "-o", "text", CM),
        ("cannot make", 1, "-o", "no/such/place", CM),
        ("not an smll archive", 1, "-o", "bag", CM, "text"),
        ("cut", 1, "-o", "bag", "cut.smll"),
        ("missing.smll", 1, "-o", "bag", CM, "missing.smll"),
        ("no regular file", 1, "-o", "bag", "full"),
        ("which is not here", 3, "-o", "bag", CM, LLM),
        ("is another model", 3, "-o", "bag", *model, GOLDEN / "families" / "qwen3.smll"),
        ("needs the dictionary golden", 3, "-o", "bag", *model, DICTIONARY),
        ("llama", 3, "-o", "bag", *model, "llama.smll"),
        ("--output is required", 2, CM),
        ("FILE is required", 2, "-o", "bag"),
    ]:
        refused = smll("bundle", *arguments, status=status)
        assert said in refused.stderr.decode() and refused.stdout == b"", arguments
        assert sorted(smll.directory.rglob("*")) == before, arguments


def test_interrupted(smll):
    def send():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        os.kill(os.getpid(), signal.SIGTERM)

    ended = subprocess.run([smll.binary, "bundle", "-o", "bag", CM], cwd=smll.directory, preexec_fn=send, capture_output=True)
    assert ended.returncode == 1 and b"interrupted" in ended.stderr
    assert list(smll.directory.iterdir()) == []


def test_a_file_of_the_commands_name(smll):
    smll.write("bundle", b"text")
    assert b"./bundle" in smll("bundle", "-o", "bag", CM, status=2).stderr
