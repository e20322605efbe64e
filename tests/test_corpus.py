"""`smll corpus`: trees of files and large files of records, on disks and elsewhere, stopped at any moment."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import BUILD, INPUTS, lines

pytest.importorskip("fsspec", reason="fsspec is not installed: no test of corpora")

import smll
from smll import corpus
from smll.corpus._errors import Unfit
from smll.corpus._places import STATE, Place
from smll.corpus._run import Workers

MANIFEST = corpus.MANIFEST
PACKAGE = os.environ.get("SMLL_PYTHONPATH", str(BUILD / "python"))


@pytest.fixture(scope="module")
def compressor(test_model):
    """Without a language model, which takes no part in most of this."""
    return smll.Compressor(test_model, level=1, threads=1)


@pytest.fixture(scope="module")
def with_model(test_model):
    return smll.Compressor(test_model, threads=1)


@pytest.fixture
def run(compressor):
    """The functions with the tests' compressor."""

    class Run:
        plan = corpus.Plan()

        def compress(self, source, target, **options):
            return corpus.compress(str(source), str(target), **{"plan": self.plan, "compressor": compressor, **options})

        def decompress(self, source, target, **options):
            return corpus.decompress(str(source), str(target), **{"compressor": compressor, **options})

        def verify(self, target, **options):
            return corpus.verify(str(target), **{"compressor": compressor, **options})

    return Run()


def lines_plan(run, part_size=1000, group=8):
    run.plan = corpus.Plan("lines", group=group, part_size=part_size)


def tree(directory):
    """Every file below a directory, by name."""
    directory = pathlib.Path(directory)
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def write_tree(directory, files):
    for name, data in files.items():
        path = pathlib.Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def notes(count, seed=1):
    """So many records, the last one without a line end."""
    words = lines(40 * count, seed).replace(b"\n", b" ")
    return b"\n".join(b'{"id": %d, "note": "%s"}' % (i, words[40 * i : 40 * i + 20 + i % 20]) for i in range(count))


TREE = {
    "plain.txt": lines(1500),
    "a/b/c/deep.txt": lines(700, 2),
    "a/empty": b"",
    "a/ blank and\nline end": b"x",
    "caf\u00e9/\U0001f600.txt": "\u00fcber".encode(),
    "[glob]*?.txt": lines(300, 3),
    "zip::file:a": b"::",
    "manifest.smll": lines(200, 4),
    MANIFEST: b"no manifest",
}


SOME_INPUTS = ("empty", "one byte", "random", "CRLF", "invalid UTF-8", "above U+10FFFF")


def test_a_tree_comes_back(run, with_model, tmp_path):
    source = write_tree(tmp_path / "source", {**TREE, **{f"input {name}": INPUTS[name] for name in SOME_INPUTS}})
    summary = run.compress(source, tmp_path / "corpus", compressor=with_model)
    assert (summary.sources, summary.failures, summary.kept) == (len(tree(source)), [], 0)
    assert summary.size == sum(map(len, tree(source).values()))
    assert set(tree(tmp_path / "corpus")) == {f"{name}.smll" for name in tree(source)} | {MANIFEST}
    assert run.verify(tmp_path / "corpus", source=str(source), compressor=with_model).failures == []
    run.decompress(tmp_path / "corpus", tmp_path / "back", compressor=with_model)
    assert tree(tmp_path / "back") == tree(source)


def test_a_place_may_be_named_like_a_url(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tree("zip::source", {"a": b"a"})
    run.compress("zip::source", "memory::corpus")
    run.decompress("memory::corpus", "back")
    assert tree(tmp_path / "back") == {"a": b"a"} and (tmp_path / "memory::corpus" / MANIFEST).exists()


def test_names_that_are_not_utf8_come_back(run, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    write_tree(tmp_path / "source", {name: b"x"})
    run.compress(tmp_path / "source", tmp_path / "corpus")
    run.decompress(tmp_path / "corpus", tmp_path / "back")
    assert tree(tmp_path / "back") == {name: b"x"}


def test_the_program_opens_its_archives(run, smll, tmp_path, test_model):
    write_tree(tmp_path / "source", {"text": lines(2000), "records": notes(40)})
    run.compress(tmp_path / "source", tmp_path / "corpus")
    assert smll("-dc", "--model", test_model, "corpus/text.smll").stdout == lines(2000)
    lines_plan(run)
    run.compress(tmp_path / "source/records", tmp_path / "lines")
    parts = sorted(str(path) for path in (tmp_path / "lines/records").iterdir())
    assert len(parts) > 1
    assert smll("-dc", "--model", test_model, *parts).stdout == notes(40)


def test_lines_come_back_and_can_be_read_one_by_one(run, with_model, tmp_path):
    files = {"a.jsonl": notes(45), "b/c.log": b"\n\n\r\nlast\n", "none": b""}
    write_tree(tmp_path / "source", files)
    lines_plan(run)
    summary = run.compress(tmp_path / "source", tmp_path / "corpus", compressor=with_model)
    assert summary.records == 49
    run.decompress(tmp_path / "corpus", tmp_path / "back", compressor=with_model)
    assert tree(tmp_path / "back") == files
    opened = corpus.Corpus(str(tmp_path / "corpus"), compressor=with_model)
    assert opened.names == sorted(files)
    expected = files["a.jsonl"].splitlines(keepends=True)
    assert opened.records("a.jsonl") == len(expected)
    for number in (0, 7, 8, 23, 24, 44):
        assert opened.record("a.jsonl", number) == expected[number]
    assert opened.record("b/c.log", 2) == b"\r\n"
    assert opened.read("a.jsonl") == files["a.jsonl"]
    with pytest.raises(IndexError):
        opened.record("a.jsonl", 45)
    with pytest.raises(KeyError):
        opened.record("c", 0)


@pytest.mark.parametrize("records", ["files", "lines"])
def test_jobs_do_not_change_the_bytes(run, tmp_path, records):
    write_tree(tmp_path / "source", {f"{i}": notes(10 + i, seed=i) for i in range(5)})
    run.plan = corpus.Plan(records, part_size=400)
    run.compress(tmp_path / "source", tmp_path / "one", jobs=1)
    run.compress(tmp_path / "source", tmp_path / "many", jobs=8)
    assert tree(tmp_path / "one") == tree(tmp_path / "many")


def test_a_parquet_column_comes_back(run, compressor, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no test of Parquet files")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = ["one", None, "", "two\nlines", "\u00fc\U0001f600", *notes(20).decode().splitlines()]
    (tmp_path / "source").mkdir()
    for name, texts_of_file in {"a.parquet": texts, "empty.parquet": []}.items():
        table = pyarrow.table({"id": range(len(texts_of_file)), "text": pyarrow.array(texts_of_file, pyarrow.string())})
        parquet.write_table(table, tmp_path / "source" / name)
    write_tree(tmp_path / "source", {"none.parquet": b"this is none"})
    run.plan = corpus.Plan("parquet", "text", group=8, part_size=500)
    summary = run.compress(tmp_path / "source", tmp_path / "corpus")
    assert (summary.sources, summary.records) == (2, len(texts))
    assert [failure.name for failure in summary.failures] == ["none.parquet"]
    for kept in (0, summary.parts):
        restored = run.decompress(tmp_path / "corpus", tmp_path / "back")
        assert (restored.failures, restored.kept) == ([], kept)
    back = parquet.read_table(tmp_path / "back/a.parquet")
    assert back.column_names == ["text"] and back["text"].to_pylist() == texts
    assert parquet.read_table(tmp_path / "back/empty.parquet").num_rows == 0
    assert json.loads(corpus.Corpus(str(tmp_path / "corpus"), compressor=compressor).record("a.parquet", 3)) == texts[3]
    run.plan = corpus.Plan("parquet", "id")
    assert "not text" in str(run.compress(tmp_path / "source/a.parquet", tmp_path / "other").failures[0].error)


def test_what_is_done_is_not_done_again(run, tmp_path, monkeypatch):
    source = write_tree(tmp_path / "source", {f"{i}": lines(500, i) for i in range(6)})
    run.compress(source, tmp_path / "corpus")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").glob("*.smll")}
    write_tree(source, {"2": lines(501, 2), "new": b"new"})
    (source / "5").unlink()
    os.utime(source / "1")
    summary = run.compress(source, tmp_path / "corpus")
    assert (summary.sources, summary.parts, summary.kept) == (6, 6, 4)
    after = {path: path.stat().st_mtime_ns for path in before}
    assert [path.name for path in before if before[path] != after[path]] == ["2.smll"]
    run.decompress(tmp_path / "corpus", tmp_path / "back")
    assert tree(tmp_path / "back") == {**tree(source), "5": lines(500, 5)}  # what has gone stays in the corpus


def test_a_damaged_archive_is_made_again(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": lines(900), "b": lines(800)})
    run.compress(source, tmp_path / "corpus")
    whole = tree(tmp_path / "corpus")
    data = bytearray(whole["a.smll"])
    data[30] ^= 1
    (tmp_path / "corpus/a.smll").write_bytes(data)
    assert [failure.name for failure in run.verify(tmp_path / "corpus", stored_only=True).failures] == ["a"]
    assert run.compress(source, tmp_path / "corpus").kept == 1
    assert tree(tmp_path / "corpus") == whole


def test_a_source_with_fewer_parts_leaves_no_stale_archive(run, tmp_path):
    lines_plan(run)
    source = write_tree(tmp_path / "source", {"log": notes(50)})
    run.compress(source, tmp_path / "corpus")
    first = tree(tmp_path / "corpus")
    write_tree(source, {"log": notes(50)[: len(notes(50)) // 2]})
    assert run.compress(source, tmp_path / "corpus").kept > 0
    run.compress(source, tmp_path / "undisturbed")
    assert tree(tmp_path / "corpus") == tree(tmp_path / "undisturbed") and len(first) > len(tree(tmp_path / "corpus"))


def start_and_kill(arguments, target, done):
    """Runs `smll corpus` and kills it when `done` more archives are in place; whether it was still at work."""
    def count():
        return sum(path.suffix == ".smll" for path in pathlib.Path(target).rglob("*"))

    wanted = count() + done
    process = subprocess.Popen([sys.executable, "-m", "smll", "corpus", *map(str, arguments)], stderr=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": PACKAGE})  # fmt: skip
    while process.poll() is None and count() < wanted:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("records", ["files", "lines"])
def test_a_run_that_is_killed_goes_on(run, tmp_path, records):
    source = write_tree(tmp_path / "source", {f"{i:03}": notes(4 + i % 5, seed=i) for i in range(30)})
    run.plan = corpus.Plan(records, part_size=200)
    run.compress(source, tmp_path / "undisturbed")
    options = ["--level", 1, "--threads", 1, "--jobs", 2, "--records", records]
    if records == "lines":
        options += ["--part-size", 200]
    command = ["compress", *options, source, tmp_path / "corpus"]
    killed = [start_and_kill(command, tmp_path / "corpus", done) for done in (1, 8)]
    assert killed == [True] * 2
    assert not (tmp_path / "corpus" / MANIFEST).exists()
    run.compress(source, tmp_path / "corpus")
    assert tree(tmp_path / "corpus") == tree(tmp_path / "undisturbed")


def test_restoring_that_is_stopped_goes_on(run, tmp_path, monkeypatch):
    lines_plan(run, part_size=300)
    source = write_tree(tmp_path / "source", {"one": notes(25), "two": notes(20, 2)})
    run.compress(source, tmp_path / "corpus")
    told = 0

    def stop(self, size):
        nonlocal told
        told += 1
        if told == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(corpus.Progress, "add_items", stop)
    with pytest.raises(KeyboardInterrupt):
        run.decompress(tmp_path / "corpus", tmp_path / "back", jobs=1)
    monkeypatch.undo()
    summary = run.decompress(tmp_path / "corpus", tmp_path / "back")
    assert summary.kept >= 5 and summary.failures == []
    assert tree(tmp_path / "back") == tree(source)


def test_a_second_run_is_refused_while_the_first_is_at_work(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": lines(900)})
    with Place(str(tmp_path / "corpus")).only_run():
        with pytest.raises(corpus.Refused, match="another run"):
            run.compress(source, tmp_path / "corpus")
    run.compress(source, tmp_path / "corpus")
    with Place(str(tmp_path / "back")).only_run():
        with pytest.raises(corpus.Refused, match="another run"):
            run.decompress(tmp_path / "corpus", tmp_path / "back")


def test_two_runs_on_a_bucket_end_with_the_same_bytes(run, tmp_path, monkeypatch):
    source = write_tree(tmp_path / "source", {f"{i}": lines(300, i) for i in range(10)})
    bucket = f"memory://{tmp_path.name}"
    once = Workers.advance
    second = []

    def advance(self, size):
        if not second:
            second.append(None)
            second[0] = run.compress(source, bucket, jobs=1)  # all of it, while the first is at its first file
        once(self, size)

    monkeypatch.setattr(Workers, "advance", advance)
    first = run.compress(source, bucket)
    assert first.failures == second[0].failures == []
    run.compress(source, tmp_path / "corpus")
    assert bucket_tree(bucket) == tree(tmp_path / "corpus")


def bucket_tree(url):
    place = Place(url)
    begin = place.root + "/"
    return {path[len(begin) :]: place.fs.cat_file(path) for path in place.fs.find(place.root)}


def test_in_memory_as_on_a_disk(run, tmp_path):
    place = Place(f"memory://{tmp_path.name}-source")
    for name in ("a", "b/c", "b/../../out"):
        with place.fs.open(f"{place.root}/{name}", "wb") as file:
            file.write(lines(400))
    summary = run.compress(place.url, f"memory://{tmp_path.name}")
    assert summary.sources == 2
    assert run.verify(f"memory://{tmp_path.name}").failures == []
    run.decompress(f"memory://{tmp_path.name}", tmp_path / "back")
    assert tree(tmp_path / "back") == {"a": lines(400), "b/c": lines(400)}


def test_one_file_that_fails_leaves_the_others_alone(run, tmp_path, monkeypatch):
    lines_plan(run)
    monkeypatch.setattr(corpus._records, "MAX_RECORD", 1000)
    source = write_tree(tmp_path / "source", {"a": notes(20), "long": b"x" * 1001, "z": notes(30, 2)})
    summary = run.compress(source, tmp_path / "corpus")
    assert [failure.name for failure in summary.failures] == ["long"] and summary.sources == 2
    monkeypatch.undo()
    summary = run.compress(source, tmp_path / "corpus")  # which is what the next run makes good
    assert (summary.failures, summary.sources, summary.kept) == ([], 3, summary.parts - 1)
    run.compress(source, tmp_path / "undisturbed")
    assert tree(tmp_path / "corpus") == tree(tmp_path / "undisturbed")


def test_damage_costs_the_damaged_file_alone(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": lines(900), "b": lines(800), "c": lines(700)})
    run.compress(source, tmp_path / "corpus")
    (tmp_path / "corpus/b.smll").write_bytes((tmp_path / "corpus/a.smll").read_bytes())
    (tmp_path / "corpus/c.smll").unlink()
    for summary in (run.verify(tmp_path / "corpus"), run.decompress(tmp_path / "corpus", tmp_path / "back")):
        assert sorted(failure.name for failure in summary.failures) == ["b", "c"]
    assert {name: data for name, data in tree(tmp_path / "back").items() if STATE not in name} == {"a": lines(900)}


def test_files_that_hold_something_else_are_not_overwritten(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": lines(900), "b": b"b"})
    run.compress(source, tmp_path / "corpus")
    write_tree(tmp_path / "back", {"a": b"mine"})
    assert [failure.name for failure in run.decompress(tmp_path / "corpus", tmp_path / "back").failures] == ["a"]
    assert (tmp_path / "back/a").read_bytes() == b"mine"
    run.decompress(tmp_path / "corpus", tmp_path / "back", force=True)
    assert tree(tmp_path / "back") == tree(source)


def test_what_changed_is_found_by_verify(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": lines(900), "b": b"b", "c": b"c"})
    run.compress(source, tmp_path / "corpus")
    write_tree(source, {"a": lines(900, 2), "d": b"d"})
    (source / "b").unlink()
    summary = run.verify(tmp_path / "corpus", source=str(source))
    assert {failure.name for failure in summary.failures} == {"a", "b", "d"} and summary.sources == 1


def test_places_that_do_not_fit_are_refused(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": b"a"})
    write_tree(tmp_path / "full", {"other": b"x"})
    for target, message in ((source, "one is in the other"), (source / "deeper", "one is in the other"),
                            (tmp_path, "one is in the other"), (tmp_path / "full", "no corpus"),
                            (tmp_path / "full/other", "this is a file")):  # fmt: skip
        with pytest.raises(corpus.Refused, match=message):
            run.compress(source, target)
    with pytest.raises(corpus.Refused, match="nothing of this name"):
        run.compress(tmp_path / "none", tmp_path / "corpus")
    with pytest.raises(corpus.Refused, match="no corpus"):
        run.decompress(tmp_path / "full", tmp_path / "back")
    assert tree(source) == {"a": b"a"} and tree(tmp_path / "full") == {"other": b"x"}


def test_other_settings_are_refused(run, tmp_path, test_model, with_model, other_model):
    source = write_tree(tmp_path / "source", {"a": notes(9)})
    run.compress(source, tmp_path / "corpus", compressor=with_model)
    for option, what in (({"plan": corpus.Plan("lines"), "compressor": with_model}, "records"),
                         ({"compressor": smll.Compressor(test_model, level=3)}, "settings"),
                         ({"compressor": smll.Compressor(other_model)}, "model"),
                         ({"compressor": smll.Compressor(test_model, dictionary=__file__)}, "dictionary")):  # fmt: skip
        with pytest.raises(corpus.Refused, match=what):
            run.compress(source, tmp_path / "corpus", **option)
    with pytest.raises(smll.Error, match="made with the model") as caught:
        run.decompress(tmp_path / "corpus", tmp_path / "back", compressor=smll.Compressor(other_model))
    assert caught.value.kind == "model"


def test_a_corpus_holds_its_dictionary(run, test_model, with_model, tmp_path):
    sample = tmp_path / "sample"
    sample.write_bytes(notes(100))
    write_tree(tmp_path / "source", {"a": notes(9)})
    with_dictionary = smll.Compressor(test_model, threads=1, dictionary=sample)
    summary = run.compress(tmp_path / "source", tmp_path / "corpus", compressor=with_dictionary)
    assert summary.stored_size < run.compress(tmp_path / "source", tmp_path / "plain", compressor=with_model).stored_size
    sample.unlink()
    run.decompress(tmp_path / "corpus", tmp_path / "back", compressor=with_model)
    assert tree(tmp_path / "back") == {"a": notes(9)}


def hostile(field, value):
    def change(source):
        source[field] = value
        return source

    return change


def hostile_part(field, value):
    def change(source):
        source["parts"][0][field] = value
        return source

    return change


@pytest.fixture(scope="module")
def small_manifest(compressor, tmp_path_factory):
    """The header and the only other line of a corpus's manifest."""
    place = tmp_path_factory.mktemp("small")
    write_tree(place / "source", {"a": lines(900)})
    corpus.compress(str(place / "source"), str(place / "corpus"), compressor=compressor)
    return (place / "corpus" / MANIFEST).read_text().splitlines()


@pytest.mark.parametrize("change", [
    *(hostile("name", name) for name in ("../out", "/out", "a/../../out", "", "a//b", ".", f"{STATE}/x", "a\0", 3, None)),
    *(hostile_part("path", path) for path in ("../out", "/etc/passwd", "a/./b", [], f"{STATE}/lock")),
    *(hostile_part("size", size) for size in (-1, 1 << 80, 1.5, "1", True, 7)),
    *(hostile_part("sha256", value) for value in ("", "x" * 64, "../" * 21 + "a")),
    hostile("parts", []), hostile("parts", None), hostile("parts", [1]), lambda source: [source], lambda source: None,
])  # fmt: skip
def test_a_hostile_manifest_is_refused(run, tmp_path, small_manifest, change):
    header, source = small_manifest
    write_tree(tmp_path / "corpus", {MANIFEST: f"{header}\n{json.dumps(change(json.loads(source)))}\n".encode()})
    for use in (lambda: run.decompress(tmp_path / "corpus", tmp_path / "a/b/back"), lambda: run.verify(tmp_path / "corpus")):
        with pytest.raises(corpus.Refused, match="damaged"):
            use()
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("text", ["", "\n", "{}", "[]", "null", '{"smll_corpus": 2}', "[" * 100000])
def test_a_header_that_is_none_is_refused(run, tmp_path, text):
    write_tree(tmp_path / "corpus", {MANIFEST: text.encode()})
    with pytest.raises(corpus.Refused, match="damaged"):
        run.verify(tmp_path / "corpus")


def test_a_manifest_that_lies_about_an_archive_fills_no_disk(run, tmp_path):
    run.compress(write_tree(tmp_path / "source", {"a": b"a" * 10000}), tmp_path / "corpus")
    path = tmp_path / "corpus" / MANIFEST
    sha256 = hashlib.sha256(b"a" * 10).hexdigest()
    header, line = path.read_text().splitlines()
    source = json.loads(line)
    for each in (source, source["parts"][0]):
        each.update(size=10, sha256=sha256)
    path.write_text(f"{header}\n{json.dumps(source)}\n")
    summary = run.decompress(tmp_path / "corpus", tmp_path / "back")
    assert isinstance(summary.failures[0].error, Unfit)
    assert not (tmp_path / "back/a").exists()


def test_links_are_passed_over_and_told(run, tmp_path):
    source = write_tree(tmp_path / "source", {"a": b"a"})
    (source / "link").symlink_to(tmp_path)
    os.mkfifo(source / "fifo")
    told = []
    assert run.compress(source, tmp_path / "corpus", passed_over=told.append).sources == 1
    assert sorted(told) == ["fifo", "link"]


def test_the_command(smll, test_model, other_model, tmp_path):
    write_tree(tmp_path / "source", {"a": lines(900), "b": lines(500, 2)})
    model = ["--model", test_model]
    done = smll("corpus", "compress", *model, "source", "corpus")
    assert done.stdout == b"" and b"compressed 2 files: 1,400 bytes" in done.stderr
    again = smll("corpus", "compress", *model, "source", "corpus")
    assert b"2 of 2 archives were done before" in again.stderr
    assert smll("corpus", "verify", "-q", *model, "source", "corpus").stderr == b""
    smll("corpus", "decompress", *model, "corpus", "back")
    assert tree(tmp_path / "back") == tree(tmp_path / "source")
    smll("corpus", "compress", *model, "none", "other", status=1)
    smll("corpus", "compress", *model, "--jobs", "0", "source", "other", status=2)
    smll("corpus", "pack", "source", "other", status=2)
    smll("corpus", "decompress", "--model", other_model, "corpus", "other", status=3)
    shutil.copy(tmp_path / "corpus/a.smll", tmp_path / "corpus/b.smll")
    failed = smll("corpus", "verify", *model, "corpus", status=1)
    assert b"smll corpus: b: " in failed.stderr and b"smll corpus: a: " not in failed.stderr


def test_progress_says_records_bytes_rate_and_time_left():
    progress = corpus.Progress()
    progress.begin(4_000_000, "lines")
    progress.add_bytes(1_000_000, worked=False)
    progress.add_bytes(1_000_000)
    progress.add_items(1234)
    assert progress.line(10) == "50 %, 1,234 lines, 2 MB, 100 KB/s, 20 s left"
