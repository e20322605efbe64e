"""smll.spark on a local cluster of two workers. Needs Java."""

import os
import shutil
import sys

import pytest

sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: no test of Spark")
if shutil.which("java") is None:
    pytest.skip("there is no java: no test of Spark", allow_module_level=True)

import smll.spark

from cluster import expected, records, workers_find_the_package  # noqa: F401 (fixtures)
from dying import die_once


@pytest.fixture(scope="module")
def spark(workers_find_the_package):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = (
            sql.SparkSession.builder.master("local-cluster[2,1,1024]")
            .config("spark.ui.enabled", False)
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", 500)
            .config("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
            .config("spark.executor.memory", "512m")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


def frame(spark, texts):
    return spark.createDataFrame(list(enumerate(texts)), "id long, text string").repartition(4)


def column(data):
    return [row.text if not isinstance(row.text, bytearray) else bytes(row.text) for row in data.orderBy("id").collect()]


def test_two_workers_make_the_same_bytes_as_one_process(spark, records, expected, test_model):
    small = smll.spark.compress(frame(spark, records), "text", model_path=test_model).cache()
    assert column(small) == expected
    assert column(smll.spark.decompress(small, "text", model_path=test_model)) == records


def test_nulls_stay(spark, test_model):
    small = smll.spark.compress(frame(spark, ["a", None, ""]), "text", model_path=test_model)
    assert column(small)[1] is None
    assert column(smll.spark.decompress(small, "text", model_path=test_model)) == ["a", None, ""]


def test_a_worker_that_is_killed_costs_its_task_alone(spark, records, expected, test_model, tmp_path):
    marker = str(tmp_path / "died")

    def dying(batches):
        for number, batch in enumerate(batches):
            if number == 1:
                die_once(marker)
            yield batch

    whole = frame(spark, records)
    small = smll.spark.compress(whole.mapInArrow(dying, whole.schema), "text", model_path=test_model)
    assert column(small) == expected
    assert (tmp_path / "died").exists()
