"""smll.ray on a local cluster of two workers."""

import pytest

ray = pytest.importorskip("ray", reason="ray is not installed: no test of Ray")
pytest.importorskip("ray.data")

from cluster import expected, records, workers_find_the_package  # noqa: F401 (fixtures)
from dying import DiesOnce

import smll.ray


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    yield
    ray.shutdown()


def dataset(texts):
    # Blocks go to whichever worker is free.
    return ray.data.from_items([{"id": i, "text": text} for i, text in enumerate(texts)], override_num_blocks=8)


def column(data):
    return [row["text"] for row in sorted(data.take_all(), key=lambda row: row["id"])]


def test_two_workers_make_the_same_bytes_as_one_process(cluster, records, expected, test_model):
    options = {"workers": 2, "batch_size": 500, "model_path": test_model}
    small = smll.ray.compress(dataset(records), "text", **options).materialize()
    assert column(small) == expected
    assert column(smll.ray.decompress(small, "text", **options)) == records


def test_nulls_stay(cluster, test_model):
    small = smll.ray.compress(dataset(["a", None, ""]), "text", model_path=test_model)
    assert column(small)[1] is None
    assert column(smll.ray.decompress(small, "text", model_path=test_model)) == ["a", None, ""]


def test_a_worker_that_is_killed_costs_its_batch_alone(cluster, records, expected, test_model, tmp_path):
    marker = tmp_path / "died"
    small = dataset(records).map_batches(
        DiesOnce, batch_format="pyarrow", batch_size=250, compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1,
        fn_constructor_kwargs={"marker": str(marker), "column": "text", "model_path": test_model, "threads": 1},
    )  # fmt: skip
    assert column(small) == expected
    assert marker.exists()
