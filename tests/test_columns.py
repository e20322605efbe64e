"""Columns of texts: Arrow, Parquet, pandas, polars and DuckDB."""

import os
import subprocess
import sys

import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: no test of columns")
import pyarrow.parquet as pq  # noqa: E402

import smll  # noqa: E402
import smll.arrow  # noqa: E402

TEXTS = ["the first of them", None, "", "a second text of this kind", "über 日本 😀", "the first of them"] * 4


@pytest.fixture
def compressor(test_model, cache):
    with smll.Compressor(test_model) as opened:
        yield opened


@pytest.fixture
def dictionary():
    return smll.Dictionary.load(__file__)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
        pa.array(TEXTS).slice(3, 11),
        pa.array(TEXTS).dictionary_encode().slice(3, 11),
        pa.array([], pa.string()),
        pa.array([None, None]),
        pa.array([None, None], pa.string()),
        pa.chunked_array([TEXTS, [], TEXTS[:3]], pa.string()),
        pa.chunked_array([], pa.string()),
    ],
    ids=lambda column: f"{type(column).__name__}-{column.type}-{len(column)}",
)
def test_round_trip(column, compressor):
    packed = smll.arrow.compress_column(column, compressor=compressor)
    packed.validate(full=True)
    assert isinstance(packed, pa.ChunkedArray) == isinstance(column, pa.ChunkedArray)
    assert packed.type.extension_name == "smll.text" and packed.null_count == column.null_count
    if isinstance(column, pa.ChunkedArray):
        assert [len(chunk) for chunk in packed.chunks] == [len(chunk) for chunk in column.chunks]
    back = smll.arrow.decompress_column(packed, compressor=compressor)
    back.validate(full=True)
    assert back.to_pylist() == column.to_pylist()
    if not pa.types.is_dictionary(column.type) and not pa.types.is_null(column.type):
        assert back.type == column.type and back.equals(column)


def test_each_value_is_what_compress_gives(compressor):
    packed = smll.arrow.compress_column(pa.array(TEXTS), compressor=compressor)
    assert packed.storage.to_pylist() == [None if text is None else compressor.compress(text) for text in TEXTS]


def test_parts_of_many_rows_and_of_large_ones(compressor, monkeypatch):
    monkeypatch.setattr(smll.arrow, "_ROWS", 7)
    monkeypatch.setattr(smll.arrow, "_BYTES", 100)
    calls = []
    whole = smll.Compressor.compress_many
    monkeypatch.setattr(smll.Compressor, "compress_many", lambda self, texts: calls.append(sum(map(len, texts))) or whole(self, texts))
    texts = [None, "x" * 300, *TEXTS, "y" * 90]
    packed = smll.arrow.compress_column(pa.array(texts), compressor=compressor)
    assert smll.arrow.decompress_column(packed, compressor=compressor).to_pylist() == texts
    assert len(calls) > 4 and all(size <= 100 or size == 300 for size in calls)


def test_metadata_tells_the_identities(compressor, test_model, dictionary):
    packed = smll.arrow.compress_column(pa.array(TEXTS), model=test_model, dictionary=dictionary)
    identity = packed.type.identity
    assert identity.fingerprint == f"{compressor.model['fingerprint']:016x}" and identity.model == compressor.model["name"]
    assert identity.dictionary == f"{dictionary.identity:016x}" and identity.dictionary_name == dictionary.name
    assert smll.arrow.decompress_column(packed, dictionary=dictionary).to_pylist() == TEXTS


def test_what_does_not_fit_is_refused(compressor, test_model, other_model, dictionary, tmp_path, monkeypatch):
    packed = smll.arrow.compress_column(pa.array(TEXTS), model=test_model, dictionary=dictionary)
    with pytest.raises(smll.Error, match="smll dict add") as caught:
        smll.arrow.decompress_column(packed)
    assert caught.value.kind == "model" and packed.type.identity.dictionary in str(caught.value)
    for options in ({"compressor": compressor}, {"model": other_model, "dictionary": dictionary}):
        with pytest.raises(smll.Error, match="was compressed with") as caught:
            smll.arrow.decompress_column(packed, **options)
        assert caught.value.kind == "model"
    dictionary.keep()
    assert smll.arrow.decompress_column(packed).to_pylist() == TEXTS
    with pytest.raises(TypeError, match="either"):
        smll.arrow.compress_column(pa.array(TEXTS), compressor=compressor, dictionary=dictionary)
    for wrong in (pa.array([1]), pa.array([b"x"]), pa.table({"a": ["x"], "b": ["y"]})):
        with pytest.raises(TypeError):
            smll.arrow.compress_column(wrong, compressor=compressor)
    for wrong in (["a list"], "text"):
        with pytest.raises(TypeError, match="Arrow"):
            smll.arrow.compress_column(wrong, compressor=compressor)
    with pytest.raises(TypeError, match="compressed"):
        smll.arrow.decompress_column(pa.array(TEXTS))
    with pytest.raises(smll.Error) as caught:
        smll.arrow.compress_column(pa.array(TEXTS), compressor=smll.Compressor(test_model, backend="llama"))
    assert caught.value.kind == "usage"


def test_damage_is_an_error(compressor):
    packed = smll.arrow.compress_column(pa.array(TEXTS[:4]), compressor=compressor)
    values = packed.storage.to_pylist()
    damaged = pa.ExtensionArray.from_storage(packed.type, pa.array([*values[:3], b"\xf5" + values[3]], pa.binary()))
    with pytest.raises(smll.Error, match="item 2") as caught:
        smll.arrow.decompress_column(damaged, compressor=compressor)
    assert caught.value.kind == "data"
    with pytest.raises(smll.Error, match="metadata"):
        smll.arrow.TextType.__arrow_ext_deserialize__(pa.binary(), b"{}")
    newer = packed.type.identity.serialize().replace(b'"version": 1', b'"version": 2')
    with pytest.raises(smll.Error, match="newer smll"):
        smll.arrow.TextType.__arrow_ext_deserialize__(pa.binary(), newer)


def test_a_model_that_learns(test_model, cache):
    with smll.Compressor(test_model, learn=True, window=512) as learner:
        packed = smll.arrow.compress_column(pa.array(TEXTS[:4]), compressor=learner)
    assert packed.type.identity.learn and packed.type.identity.window == 512
    assert smll.arrow.decompress_column(packed).to_pylist() == TEXTS[:4]


LATER = """
import sys
import pyarrow.parquet as pq
assert pq.read_schema(sys.argv[1]).field("body").metadata[b"ARROW:extension:name"] == b"smll.text"
import smll.arrow
table = pq.read_table(sys.argv[1])
print(smll.arrow.decompress_column(table["body"]).to_pylist() == table["plain"].to_pylist(), end="")
"""


def test_parquet_is_read_by_another_process(test_model, cache, dictionary, tmp_path):
    """Which knows model and dictionary by what the file says."""
    packed = smll.arrow.compress_column(pa.array(TEXTS), model=test_model, dictionary=dictionary)
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"body": packed, "plain": TEXTS}), path, compression={"body": "none", "plain": "zstd"})
    dictionary.keep()
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(smll.__file__))}
    done = subprocess.run([sys.executable, "-c", LATER, path], capture_output=True, text=True, env=environment)
    assert done.stdout == "True", done.stderr


def test_streams_hold_one_batch_at_a_time(compressor):
    given = []

    def batches():
        for n in range(5):
            given.append(n)
            yield pa.record_batch({"n": pa.array([n] * len(TEXTS)), "body": pa.array(TEXTS).dictionary_encode(), "other": TEXTS})

    first = next(batches())
    given.clear()
    source = pa.RecordBatchReader.from_batches(first.schema, batches())
    packed = smll.arrow.compress_batches(source, ["body", "other"], compressor=compressor)
    assert packed.read_next_batch().column("n").to_pylist() == [0] * len(TEXTS)
    assert len(given) <= 2
    back = smll.arrow.decompress_batches(packed, compressor=compressor).read_all()
    assert back.schema.names == ["n", "body", "other"] and back["other"].type == pa.string()
    assert back["body"].to_pylist() == TEXTS * 4 == back["other"].to_pylist()
    with pytest.raises(KeyError):
        smll.arrow.compress_batches(pa.table({"a": TEXTS}), ["b"], compressor=compressor)


def test_pandas(compressor, test_model, tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    import smll.pandas

    frame = pandas.DataFrame({"body": TEXTS, "n": range(len(TEXTS))}, index=range(100, 100 + len(TEXTS)))
    frame["packed"] = frame["body"].smll.compress(model=test_model)
    assert frame["packed"].dtype.pyarrow_dtype.extension_name == "smll.text" and frame["packed"].isna().sum() == TEXTS.count(None)
    path = tmp_path / "frame.parquet"
    frame.to_parquet(path)
    for options in ({}, {"dtype_backend": "pyarrow"}):
        back = pandas.read_parquet(path, **options)
        restored = back["packed"].smll.decompress()
        assert [None if text is pandas.NA else text for text in restored] == TEXTS
        assert list(restored.index) == list(frame.index) and restored.name == "packed"
    some = pandas.concat([back[back["n"] > 5], back[back["n"] == 0]])["packed"].smll.decompress(compressor=compressor)
    assert list(some.dropna()) == [text for text in [*TEXTS[6:], TEXTS[0]] if text is not None]
    # A plain column of objects.
    objects = pandas.Series(TEXTS, dtype=object).smll.compress(compressor=compressor)
    assert objects.smll.decompress().isna().sum() == TEXTS.count(None)


def test_polars(compressor, test_model, tmp_path):
    polars = pytest.importorskip("polars", "2", reason="polars 2 or later is not installed")
    import smll.polars  # noqa: F401

    frame = polars.DataFrame({"body": TEXTS, "n": range(len(TEXTS))})
    packed = frame.with_columns(polars.col("body").smll.compress(model=test_model))
    assert "smll.text" in str(packed.schema["body"]) and packed["body"].null_count() == TEXTS.count(None)
    assert packed.with_columns(polars.col("body").smll.decompress()).equals(frame)
    assert packed["body"].smll.decompress(compressor=compressor).to_list() == TEXTS
    assert frame["body"].smll.compress(compressor=compressor).smll.decompress().to_list() == TEXTS
    lazy = frame.lazy().filter(polars.col("n") > 5).with_columns(polars.col("body").smll.compress(compressor=compressor))
    assert lazy.collect(engine="streaming")["body"].smll.decompress().to_list() == TEXTS[6:]
    categories = polars.Series(TEXTS, dtype=polars.Categorical).smll.compress(compressor=compressor)
    assert categories.smll.decompress().to_list() == TEXTS
    path = tmp_path / "frame.parquet"
    packed.write_parquet(path, compression="uncompressed")
    assert polars.scan_parquet(path).with_columns(polars.col("body").smll.decompress()).collect().equals(frame)
    assert smll.arrow.decompress_column(pq.read_table(path)["body"]).to_pylist() == TEXTS


def test_duckdb(compressor, test_model, dictionary):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    import smll.duckdb

    connection = duckdb.connect()
    smll.duckdb.register(connection, compressor=compressor)
    smll.duckdb.register(connection, model=test_model, dictionary=dictionary, compress="pack", decompress="restore")
    texts = pa.table({"body": TEXTS, "n": range(len(TEXTS))})  # noqa: F841 (DuckDB finds it by its name)
    connection.execute("CREATE TABLE packed AS SELECT n, smll_compress(body) AS body, pack(body) AS other FROM texts")
    assert connection.execute("SELECT typeof(body) FROM packed LIMIT 1").fetchone() == ("BLOB",)
    for function, column in (("smll_decompress", "body"), ("restore", "other")):
        rows = connection.execute(f"SELECT {function}({column}) FROM packed ORDER BY n").fetchall()
        assert [body for (body,) in rows] == TEXTS
    assert connection.execute("SELECT count(*) FROM packed WHERE smll_decompress(body) LIKE 'the first%'").fetchone() == (8,)
    connection.execute("CREATE TABLE many AS SELECT smll_compress('number ' || i) AS body FROM range(2100) t(i)")
    assert connection.execute("SELECT count(DISTINCT smll_decompress(body)) FROM many").fetchone() == (2100,)
    with pytest.raises(duckdb.Error, match="item"):
        connection.execute("SELECT smll_decompress('\\xF5\\x01'::BLOB)").fetchall()
    # Columns go in and out through Arrow as well.
    packed = smll.arrow.compress_column(connection.sql("SELECT body FROM texts ORDER BY n"), compressor=compressor)
    assert smll.arrow.decompress_column(packed, compressor=compressor).to_pylist() == TEXTS
    plain = connection.sql("SELECT body FROM packed ORDER BY n")
    assert smll.arrow.decompress_column(plain, compressor=compressor).to_pylist() == TEXTS


def test_pyarrow_is_named_where_it_is_missing(tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError('no')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.path.dirname(os.path.dirname(smll.__file__))}"}
    done = subprocess.run([sys.executable, "-c", "import smll; print('fine'); import smll.arrow"], capture_output=True, text=True, env=environment)
    assert done.stdout == "fine\n" and "smll[arrow]" in done.stderr
