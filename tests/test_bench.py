"""`smll bench`: its parts, and one short run."""

import csv
import json
import math
import os
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest
from conftest import ROOT, lines

pytest.importorskip("smll", reason="the Python module is not built: run make")
pytest.importorskip("numpy")

import smll  # noqa: E402
from smll_bench import codecs, measure, ngram, provenance, published, report, samples, tables  # noqa: E402
from smll_bench.progress import Progress  # noqa: E402


def test_samples_are_the_same_each_time_and_of_their_kind():
    first, second = samples.content_types(), samples.content_types()
    assert first == second
    assert len(first) == 13
    assert all(500 < len(text) < 5000 for text in first.values())
    json.loads(first["JSON"])
    xml.etree.ElementTree.fromstring(first["XML"])
    compile(first["Python"], "sample", "exec")
    assert len({len(row) for row in csv.reader(first["CSV"].splitlines())}) == 1
    assert [len(quote) for quote in samples.QUOTES.values()] == [117, 52, 76]


def test_ngram_probabilities_sum_to_one():
    train = lines(5000)
    made = ngram.Tables(train)
    prefix = train[100:110]
    for order in range(ngram.MAX_ORDER):
        before = made.scores(prefix)[order].bits
        total = sum(2 ** (before - made.scores(prefix + bytes([b]))[order].bits) for b in range(256))
        assert total == pytest.approx(1)


def test_ngrams_learn():
    scores = ngram.Tables(lines(20_000, 1)).scores(lines(2_000, 2))
    assert [score.order for score in scores] == [1, 2, 3, 4, 5, 6]
    assert scores[3].bits < scores[0].bits < 8 * 2000
    assert all(math.isfinite(score.bits) for score in ngram.Tables(b"abcabcabc").scores(b"never \xff seen"))


@pytest.fixture(scope="module")
def results(test_model):
    columns = codecs.codecs(test_model)
    progress = Progress(1)
    texts = {"text": lines(600).decode(), "empty": "", "noise": samples.content_types()["random"]}
    made = {key: measure.table(key, key, texts, columns, progress) for key in ("types", "quotes")}
    lengths = measure.table("lengths", "lengths", {"50": "x" * 50, "500": lines(500).decode()}, columns, progress)
    corpus = tables.Corpus("kind", "training", "test", lines(3000), lines(300, 2))
    own = {"smll": made["types"].rows[0].cells["smll"]}
    row = tables.NgramRow(corpus, ngram.Tables(corpus.train_bytes).scores(corpus.test_bytes), own)
    ablation = tables._ablation_rows(smll.Compressor(test_model), {"text": texts["text"]}, progress)
    return tables.Results(made["types"], lengths, made["quotes"], made["types"], [row], ablation)


@pytest.fixture
def context(tmp_path):
    return report.Context("1.2.3", {"name": "tiny", "isa": "scalar"}, True, tmp_path / "plots", provenance.said("smll bench --quick"))


def test_every_size_is_verified(results):
    assert measure.unverified(results.tables()) == []
    for table in results.tables():
        for row in table.rows:
            assert {"smll", "smll llm", "smll cm", "gzip -9", "bz2 -9", "xz -9e"} <= set(row.cells)


def test_a_codec_that_lies_is_found():
    liar = codecs.Codec("liar", lambda data: data[:1], lambda data: data)
    table = measure.table("t", "t", {"x": "abc"}, [liar], Progress(1))
    assert measure.unverified([table]) == ["x: liar"]
    assert "(!)" in report._size(table.rows[0], "liar")


def test_a_codec_that_fails_is_left_out(capsys):
    broken = codecs.Codec("broken", lambda data: data[9:10] + 3, lambda data: data)
    assert measure.measure(broken, b"abc") is None
    assert "broken failed" in capsys.readouterr().out


def test_report(results, context, tmp_path):
    report.write(results, context, tmp_path)
    markdown = (tmp_path / "results.md").read_text()
    for heading in ("Three quotes", "By content type", "By length", "Speed", "Against n-gram", "Your files", "expert"):
        assert heading in markdown
    as_json = json.loads((tmp_path / "results.json").read_text())
    assert as_json["tables"]["types"][0]["codecs"]["smll"]["verified"] is True
    with (tmp_path / "results.csv").open() as file:
        assert {row["codec"] for row in csv.DictReader(file)} >= {"smll", "gzip -9"}


def test_published_sizes_are_what_published_ratios_make():
    for text in published.TEXTS.values():
        assert text.bytes / text.size == pytest.approx(published.RATIO_BY_TYPE[text.kind], abs=0.005)


def test_the_originals_texts_are_missed_loudly(tmp_path):
    before = (ROOT / "README.md").read_bytes()
    script = [sys.executable, ROOT / "scripts" / "bench_original", tmp_path]
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 0 and "SKIPPED" in result.stderr and "xml.txt" in result.stderr
    for name in published.TEXTS:
        (tmp_path / name).write_text("another text")
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 1 and "not the texts" in result.stderr
    assert (ROOT / "README.md").read_bytes() == before


def test_where_figures_come_from():
    assert re.fullmatch(r"`smll bench`, \d{4}-\d\d-\d\d, commit (\w+)( with changes)?, .+, \d+ cores\.", provenance.said("smll bench"))


def test_blocks_of_pages(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
    provenance.replace_block(page, "<!-- a -->\n", "<!-- /a -->\n", "new\n")
    assert page.read_text() == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"
    with pytest.raises(SystemExit, match="no place"):
        provenance.replace_block(page, "<!-- b -->\n", "<!-- /b -->\n", "new\n")


def test_speeds_of_other_machines_are_kept():
    bench = runpy.run_path(str(ROOT / "scripts" / "bench"))
    cell = {"pack_seconds": 2.0, "unpack_seconds": 5.0}
    rows = [{"label": label, "codecs": {"smll": cell}} for label in ("50", "10,000", "100,000")]
    results = {"model": {"isa": "avx2"}, "tables": {"lengths": rows}}
    row = bench["machine_row"](results)
    assert row.endswith("| 5,000 | 2,000 | 50,000 | 20,000 |")
    other = "| Other, 8 cores | neon | 2026-01-01 | abc | 1 | 2 | 3 | 4 |"
    once = bench["by_machine"]("", other)
    twice = bench["by_machine"](f"# Page\n\n{once}\n## Next\n", row)
    assert other in twice and row in twice
    assert bench["by_machine"](f"{twice}\n## Next\n", row) == twice


def test_plots(results, tmp_path):
    pytest.importorskip("matplotlib")
    from smll_bench import plots

    written = plots.write(results, tmp_path)
    assert sorted(path.name for path in written) == sorted(
        f"{name}.{kind}" for name in ("types", "lengths", "speed") for kind in ("png", "svg")
    )
    for path in written:
        if path.suffix == ".svg":
            assert xml.etree.ElementTree.parse(path).getroot().tag.endswith("svg")
            assert "prefers-color-scheme:dark" in path.read_text()


def test_arguments():
    from smll_bench.command import main

    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    with pytest.raises(SystemExit) as caught:
        main(["--nonsense"])
    assert caught.value.code == 2


def test_a_dictionary_is_for_the_experts(test_model, results, context, capsys):
    from smll_bench.command import main

    with pytest.raises(SystemExit) as caught:
        main(["-D", "log"])
    assert caught.value.code == 2
    assert main(["--ablate", "-D", "/nowhere/log", "--model", str(test_model)]) in (1, 3)
    assert "/nowhere/log" in capsys.readouterr().err
    assert "behind the dictionary log." in report.text(results, context._replace(dictionary="log"))


def test_an_installed_package_says_where_the_benchmark_is(tmp_path):
    """Wheels leave it out."""
    package = pathlib.Path(smll.__file__).parent
    shutil.copytree(package, tmp_path / "smll", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for module in package.glob("*.so"):
        (tmp_path / "smll" / module.name).symlink_to(module)
    result = subprocess.run([sys.executable, "-m", "smll", "bench", "--quick"], capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path)  # fmt: skip
    assert result.returncode == 2
    assert "checkout" in result.stderr and "Traceback" not in result.stderr
