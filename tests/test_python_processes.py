"""Compressors in other processes: pickled by path."""

import concurrent.futures
import multiprocessing
import pickle

import pytest
from conftest import lines

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


def test_pickles_by_path(test_model):
    compressor = smll.Compressor(test_model, threads=1, experts="llm", window=64)
    assert compressor.model_path == test_model
    pickled = pickle.dumps(compressor)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)
    assert again.compress("a text") == compressor.compress("a text")
    assert again.model == compressor.model
    compressor.close()
    with pytest.raises(ValueError):
        pickle.dumps(compressor)


def test_process_pools(test_model):
    compressor = smll.Compressor(test_model, threads=1)
    texts = [lines(100, seed).decode() for seed in range(4)]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        packed = list(pool.map(compressor.compress, texts))
    assert [compressor.decompress(each) for each in packed] == texts
