"""`smll train` makes dictionaries, `smll dict` keeps them, and reading finds those that archives name."""

import os
import pickle
import re

import pytest
from conftest import lines

# Little work: what is chosen does not matter here.
QUICK = ["--minutes", "0.02", "--size", "300", "--sample-size", "2K"]


def records(count, first=0):
    """Log lines that have much in common."""
    kinds = ["upgrade", "install", "remove"]
    return [f"2024-03-{n % 28 + 1:02} {kinds[n % 3]} package-{n * 7 % 50} <none> 1.{n % 9}" for n in range(first, first + count)]


def text(count, first=0):
    return "".join(record + "\n" for record in records(count, first)).encode()


@pytest.fixture
def train(smll, test_model):
    def run(*arguments, **options):
        return smll("train", *QUICK, "--model", test_model, *arguments, **options)

    return run


def facts(smll, spec):
    return dict(re.findall(r"^([a-z]+): +(.*)$", smll("dict", "info", spec).stdout.decode(), re.MULTILINE))


def test_train_says_what_it_made(smll, train):
    smll.write("log", text(200))
    told = train("log", "-o", "log.smlld").stderr.decode()
    shown = facts(smll, "log.smlld")
    assert shown["name"] == "log" and shown["adapter"] == "none"
    assert f"dictionary {shown['identity']}, of 200 records (lines)" in told
    assert re.search(r"\d+ bytes are coded in \d+ without it and in \d+ with it", told)
    assert 0 < int(shown["opening"].split()[0]) <= 300
    assert 0 < int(shown["sample"].split()[0]) <= 2048
    assert train("log", "-q", "-o", "quiet.smlld").stderr == b""


def test_an_adapter_is_trained_and_used(smll, train, test_model):
    smll.write("log", text(400))
    train("log", "--adapter", "-o", "log.smlld")
    assert int(facts(smll, "log.smlld")["adapter"].split()[0]) > 0
    smll.write("other", text(3, first=1000))
    options = ("--model", test_model, "-D", "log.smlld")
    smll(*options, "-k", "other")
    assert smll(*options, "-dc", "other.smll").stdout == text(3, first=1000)
    plain = smll("--model", test_model, "-c", "other").stdout
    assert smll.path("other.smll").stat().st_size < len(plain)
    told = smll("-dc", "--model", test_model, "other.smll", status=3).stderr.decode()
    assert "dictionary log" in told and facts(smll, "log.smlld")["identity"] in told
    train("log", "--adapter", "-T", "1", "-o", "again.smlld")
    assert facts(smll, "again.smlld")["identity"] == facts(smll, "log.smlld")["identity"]


def test_the_same_records_make_the_same_dictionary(smll, train):
    smll.write("log", text(200))
    train("log", "-o", "one.smlld")
    train("log", "-T", "1", "-o", "two.smlld")
    train("--records", "lines", "-o", "three.smlld", "-", input=text(200))
    identities = {facts(smll, f"{name}.smlld")["identity"] for name in ("one", "two", "three")}
    assert len(identities) == 1
    train("log", "-o", "other.smlld", "--size", "200")
    assert facts(smll, "other.smlld")["identity"] not in identities


def count(told):
    found = re.search(rb"of (\d+) records \((\w+)\)", told)
    return int(found[1]), found[2].decode()


def test_kinds_of_records(smll, train):
    values = [f'{{"n": {n}, "text": "a ] \\" of {n}"}}' for n in range(20)]
    smll.write("array.json", ("[" + ",\n ".join(values) + "]\n").encode())
    smll.write("rows.jsonl", ("\n".join(values) + "\n").encode())
    for n in range(12):
        smll.write(f"file{n}", lines(200, seed=n))
    several = [f"file{n}" for n in range(12)]
    for inputs, options, expected in (
        (["array.json"], [], (20, "json")),
        (["rows.jsonl"], [], (20, "lines")),
        (["rows.jsonl", "array.json"], ["--records", "json"], (40, "json")),
        (several, [], (12, "files")),
    ):
        told = train(*options, *inputs, "-f", "-o", "x.smlld").stderr
        assert count(told) == expected, (inputs, told)


def test_train_refuses(smll, train):
    smll.write("log", text(100))
    smll.write("few", text(7))
    smll.write("broken.json", b'[{"a": 1}, {"b": "]')
    smll.write("there.smlld", b"x")
    for arguments, status, told in (
        (["few", "-o", "x.smlld"], 1, "8 records"),
        (["log"], 2, "--output"),
        (["-o", "x.smlld"], 2, "FILE"),
        (["none", "-o", "x.smlld"], 1, "none"),
        (["log", "-o", "there.smlld"], 1, "-f"),
        (["few", "log", "-f", "-o", "log"], 2, "input log"),
        (["log", "-o", "missing/x.smlld"], 1, "missing"),
        (["log", "--records", "words", "-o", "x.smlld"], 2, "words"),
        (["--records", "json", "broken.json", "-o", "x.smlld"], 1, "broken.json"),
        (["log", "--size", "1G", "-o", "x.smlld"], 2, "16384"),
        (["log", "--minutes", "0", "-o", "x.smlld"], 2, "minutes"),
        (["log", "--model", "none.gguf", "-o", "x.smlld"], 3, "none.gguf"),
    ):
        message = train(*arguments, status=status).stderr.decode()
        assert told in message, (arguments, message)
        assert not smll.path("x.smlld").exists()
    assert smll.path("there.smlld").read_bytes() == b"x"
    assert [path for path in os.listdir(smll.directory) if path.startswith(".")] == []


def test_dictionaries_are_kept_and_listed(smll, train, cache):
    assert smll("dict").stdout.decode().splitlines()[1:] == []
    smll.write("log", text(100))
    smll.write("plain.txt", b"a text that serves every model\n")
    train("log", "-o", "log.smlld")
    added = smll("dict", "add", "log.smlld", "plain.txt").stdout.decode()
    identity = facts(smll, "log.smlld")["identity"]
    assert added.splitlines()[0] == f"{identity}  log"
    for name in ("log", "log.smlld", "plain.txt"):
        smll.path(name).unlink()  # a file comes before a name
    listing = smll("dict", "list").stdout.decode()
    assert re.search(rf"^{identity}  log ", listing, re.MULTILINE)
    assert re.search(r"^[0-9a-f]{16}  plain.txt .* any$", listing, re.MULTILINE)
    assert facts(smll, identity) == facts(smll, "log")
    assert "smll dict list" in smll("dict", "info", "nothing", status=3).stderr.decode()


def test_one_that_cannot_be_added_does_not_keep_others_out(smll):
    smll.write("a.txt", b"one\n")
    smll.write("damaged.smlld", b"\xf3md\x01 and more")
    message = smll("dict", "add", "damaged.smlld", "none", "a.txt", status=1).stderr.decode()
    assert "damaged.smlld" in message and "none" in message
    assert "a.txt" in smll("dict", "list").stdout.decode()


def test_a_damaged_one_in_the_cache_is_named(smll, train, cache):
    smll.write("log", text(100))
    train("log", "-o", "log.smlld")
    smll("dict", "add", "log.smlld")
    (kept,) = (cache / "dictionaries").iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    identity = kept.stem
    for arguments in (["info", identity], ["list"]):
        message = smll("dict", *arguments, status=3).stderr.decode()
        assert str(kept) in message and "damaged" in message
    smll("dict", "add", "log.smlld")
    assert facts(smll, identity)["name"] == "log"


def test_archives_name_their_dictionary_and_find_it(smll, train, test_model):
    smll.write("log", text(200))
    train("log", "-o", "log.smlld")
    content = lines(300)
    smll.write("f", content)
    model = ["--model", test_model, "--experts", "llm"]
    smll("-D", "log.smlld", *model, "f")
    assert smll("-dc", "-D", "log.smlld", *model, "f.smll").stdout == content
    identity = facts(smll, "log.smlld")["identity"]
    message = smll("-dc", *model, "f.smll", status=3).stderr.decode()
    assert identity in message and "log" in message and "smll dict add" in message
    smll.write("other.txt", b"another text\n")
    message = smll("-dc", "-D", "other.txt", *model, "f.smll", status=3).stderr.decode()
    assert identity in message
    smll("dict", "add", "log.smlld")
    smll.path("log.smlld").unlink()
    assert smll("-dc", *model, "f.smll").stdout == content


def test_files_of_the_commands_names(smll):
    smll.write("dict", b"x" * 50)
    smll.write("train", b"x" * 50)
    for name in ("dict", "train"):
        assert f"./{name}" in smll(name, status=2).stderr.decode()
        smll("-1", f"./{name}")
        assert smll.path(f"{name}.smll").exists()
    assert b"identity" in smll("dict", "list").stdout


def test_python(smll, tmp_path, test_model):
    module = pytest.importorskip("smll")
    shares = []
    dictionary = module.Dictionary.train(
        records(100), model_path=test_model, name="log", size=300, sample_size=2048, minutes=0.02,
        progress=lambda done, total: shares.append(done / total),
    )
    assert dictionary.name == "log" and 0 < dictionary.opening_size <= 300
    assert shares and shares == sorted(shares) and 0 <= shares[0] and shares[-1] <= 1
    assert dictionary.gain is not None and dictionary.gain.records == 100
    dictionary.save(tmp_path / "log.smlld")
    loaded = module.Dictionary.load(tmp_path / "log.smlld")
    assert loaded == dictionary and loaded.identity == dictionary.identity and loaded.gain is None
    assert pickle.loads(pickle.dumps(dictionary)) == dictionary
    assert facts(smll, "log.smlld")["identity"] == f"{dictionary.identity:016x}"
    with pytest.raises(module.Error) as raised:
        module.Dictionary.train(["a", "b"], model_path=test_model)
    assert raised.value.kind == "data"
    with pytest.raises(TypeError):
        module.Dictionary.train("one text", model_path=test_model)


def test_what_progress_raises_ends_training(test_model):
    module = pytest.importorskip("smll")

    def progress(done, total):
        raise KeyError(done)

    with pytest.raises(KeyError):
        module.Dictionary.train(records(100), model_path=test_model, minutes=0.02, progress=progress)


@pytest.mark.real_model
def test_a_dictionary_pays(smll, real_model):
    module = pytest.importorskip("smll")
    smll.write("log", text(100))
    smll("train", "--minutes", "0.01", "--model", real_model, "log", "-o", "log.smlld")
    others = records(10, first=1000)
    plain = module.Compressor(real_model)
    primed = module.Compressor(real_model, dictionary=smll.path("log.smlld"))
    archives = primed.compress_many(others)
    assert primed.decompress_many(archives) == others
    assert sum(map(len, archives)) < sum(map(len, plain.compress_many(others))) / 2
