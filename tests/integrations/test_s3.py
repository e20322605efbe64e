"""`smll corpus` with a bucket of a local server."""

import pytest

pytest.importorskip("s3fs", reason="s3fs is not installed: no test of S3")
server = pytest.importorskip("moto.server", reason="moto is not installed: no test of S3")

from cluster import records  # noqa: F401 (a fixture)

import smll
from smll import corpus
from smll.corpus._places import Place


@pytest.fixture(scope="module")
def bucket():
    serving = server.ThreadedMotoServer(port=0)
    serving.start()
    host, port = serving.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test",
                            "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}.items():  # fmt: skip
            patch.setenv(name, value)
        import s3fs

        s3fs.S3FileSystem().mkdir("texts")
        yield "s3://texts"
    serving.stop()


@pytest.fixture
def compressor(test_model):
    return smll.Compressor(test_model, threads=1)


def content(url):
    place = Place(url)
    place.fs.invalidate_cache()
    begin = place.root + "/"
    return {path[len(begin) :]: place.fs.cat_file(path) for path in place.fs.find(place.root)}


def test_there_and_back(bucket, compressor, records, tmp_path):
    (tmp_path / "source").mkdir()
    text = "\n".join(records[:200]).encode()
    (tmp_path / "source/log").write_bytes(text)
    plan = corpus.Plan("lines", part_size=1500)
    corpus.compress(str(tmp_path / "source"), f"{bucket}/log", plan=plan, compressor=compressor)
    corpus.compress(str(tmp_path / "source"), str(tmp_path / "corpus"), plan=plan, compressor=compressor)
    local = {str(path.relative_to(tmp_path / "corpus")): path.read_bytes()
             for path in (tmp_path / "corpus").rglob("*") if path.is_file()}  # fmt: skip
    assert content(f"{bucket}/log") == local and len(local) > 3
    assert corpus.verify(f"{bucket}/log", source=str(tmp_path / "source"), compressor=compressor).failures == []
    assert corpus.Corpus(f"{bucket}/log", compressor=compressor).record("log", 150) == f"{records[150]}\n".encode()
    assert corpus.decompress(f"{bucket}/log", f"{bucket}/back", compressor=compressor).failures == []
    assert content(f"{bucket}/back") == {"log": text}


def test_a_run_that_is_stopped_goes_on(bucket, compressor, records, tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    for number, text in enumerate(records[:20]):
        (tmp_path / f"source/{number}").write_text(text)
    done = corpus._compress._Compressing._done

    def stop(self, job, result):
        done(self, job, result)
        if self._parts == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(corpus._compress._Compressing, "_done", stop)
    with pytest.raises(KeyboardInterrupt):
        corpus.compress(str(tmp_path / "source"), f"{bucket}/stopped", compressor=compressor, jobs=1)
    monkeypatch.undo()
    assert corpus.MANIFEST not in content(f"{bucket}/stopped")
    summary = corpus.compress(str(tmp_path / "source"), f"{bucket}/stopped", compressor=compressor)
    assert summary.kept >= 5 and summary.failures == []
    corpus.compress(str(tmp_path / "source"), f"{bucket}/undisturbed", compressor=compressor)
    assert content(f"{bucket}/stopped") == content(f"{bucket}/undisturbed")


def test_an_upload_that_fails_leaves_nothing(bucket):
    place = Place(f"{bucket}/failed")
    with pytest.raises(RuntimeError, match="on the way"):
        with place.put("a/b") as file:
            file.write(b"half")
            raise RuntimeError("on the way")
    assert content(f"{bucket}/failed") == {}
