"""smll.ray on a local cluster of two workers."""

import pytest

ray = pytest.importorskip("ray", reason="ray is not installed: no test of Ray")
pytest.importorskip("ray.data")

from cluster import expected, records, workers_find_the_package  # noqa: F401 (fixtures)
from dying import DiesOnce, StopsOnce

import smll.ray


@pytest.fixture(scope="module")
def cluster():
    # Two for the workers, the others for reading and writing.
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
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


def test_a_run_that_failed_goes_on_from_its_checkpoint(cluster, records, expected, test_model, tmp_path):
    checkpoint = pytest.importorskip("ray.data.checkpoint", reason="this Ray has no checkpoints of data")
    source, seen, small = tmp_path / "source", tmp_path / "seen", str(tmp_path / "small")
    dataset(records).write_parquet(str(source))
    context = ray.data.DataContext.get_current()
    context.checkpoint_config = checkpoint.CheckpointConfig(id_column="id", checkpoint_path=str(tmp_path / "checkpoint"))
    # So that few rows are written at once.
    sizes = context.target_min_block_size, context.target_max_block_size
    context.target_min_block_size, context.target_max_block_size = 1, 8192
    options = {"column": "text", "model_path": test_model, "threads": 1}

    def run():
        seen.write_text("")
        ray.data.read_parquet(str(source)).map_batches(
            StopsOnce, batch_format="pyarrow", batch_size=250, compute=ray.data.ActorPoolStrategy(size=1), num_cpus=1,
            fn_constructor_kwargs={"seen": str(seen), "marker": str(tmp_path / "ended"), "row": len(records) - 1, **options},
        ).write_parquet(small)  # fmt: skip
        return len(seen.read_text().splitlines())

    try:
        with pytest.raises(Exception, match="the run ends here"):
            run()
        assert 0 < run() < len(records)
    finally:
        context.checkpoint_config = None
        context.target_min_block_size, context.target_max_block_size = sizes
    assert column(ray.data.read_parquet(small)) == expected
