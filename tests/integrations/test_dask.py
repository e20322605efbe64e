"""smll.dask on a local cluster of two workers."""

import fsspec
import pytest

bags = pytest.importorskip("dask.bag", reason="dask is not installed: no test of Dask")
distributed = pytest.importorskip("distributed", reason="distributed is not installed: no test of Dask")

import smll.dask

from cluster import expected, records, workers_find_the_package  # noqa: F401 (fixtures)
from dying import die_once


@pytest.fixture(scope="module")
def client(test_model):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMLL_MODEL", test_model)  # of files, whose codec takes no options
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            with distributed.Client(cluster) as client:
                smll.dask.register(client)
                yield client


def test_two_workers_make_the_same_bytes_as_one_process(client, records, expected, test_model):
    small = smll.dask.compress(bags.from_sequence(records, npartitions=10), model_path=test_model).persist()
    assert small.compute() == expected
    assert smll.dask.decompress(small, model_path=test_model).compute() == records


def test_none_stays(client, test_model):
    small = smll.dask.compress(bags.from_sequence(["a", None, ""]), model_path=test_model).compute()
    assert small[1] is None
    assert smll.dask.decompress(bags.from_sequence(small), model_path=test_model).compute() == ["a", None, ""]


def dying(texts, marker, index):
    texts = list(texts)
    if index in texts:
        die_once(marker)
    return texts


def test_a_worker_that_is_killed_costs_its_partition_alone(client, records, expected, test_model, tmp_path):
    marker = tmp_path / "died"
    bag = bags.from_sequence(records, npartitions=10).map_partitions(dying, str(marker), records[len(records) // 2])
    assert smll.dask.compress(bag, model_path=test_model).compute() == expected
    assert marker.exists()


def test_files_by_the_name_of_the_codec(client, records, tmp_path):
    texts = records[:300]
    paths = bags.from_sequence(texts, npartitions=3).to_textfiles(str(tmp_path / "*.txt.smll"), compression="smll")
    assert len(paths) == 3
    back = bags.read_text(str(tmp_path / "*.smll"), compression="smll").compute()
    assert [line.rstrip("\n") for line in back] == texts
    with fsspec.open(paths[0], "rt", compression="infer") as file:
        assert file.readline() == f"{texts[0]}\n"
