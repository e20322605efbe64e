"""Many texts at once from Python: results as single calls give them, errors, iterators, progress, signals, threads."""

import itertools
import os
import pathlib
import pickle
import signal
import threading

import pytest
from conftest import INPUTS, lines, noise

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")
from smll import _many  # noqa: E402

TEXTS = [lines(20 + 13 * seed, seed).decode() for seed in range(24)]


@pytest.fixture(scope="module")
def compressor(test_model):
    return smll.Compressor(test_model, threads=2, window=64)


@pytest.fixture(scope="module")
def fast():
    return smll.Compressor(level=1)


@pytest.fixture(scope="module")
def archives(compressor):
    return [compressor.compress(text) for text in TEXTS]


@pytest.fixture
def damaged(archives):
    """Archives of which those with the numbers 3 and 7 are damaged."""
    return [b"hello" if i in (3, 7) else archive for i, archive in enumerate(archives)]


def every_form(compressor):
    return (
        compressor.compress_many,
        compressor.decompress_many,
        compressor.decompress_many_bytes,
        compressor.iter_compress,
        compressor.iter_decompress,
        compressor.iter_decompress_bytes,
    )


def test_equal_single_calls(compressor, archives):
    assert compressor.compress_many(TEXTS) == archives
    assert compressor.decompress_many(archives) == TEXTS
    assert list(compressor.iter_compress(TEXTS)) == archives
    assert list(compressor.iter_decompress(archives)) == TEXTS


def test_any_bytes_of_any_size(fast):
    items = [*INPUTS.values(), lines(66_000), noise(66_000)]
    packed = fast.compress_many(items)
    assert packed == [fast.compress(item) for item in items]
    assert fast.decompress_many_bytes(packed) == items
    assert list(fast.iter_decompress_bytes(packed)) == items


def test_nothing(compressor):
    for many in (compressor.compress_many, compressor.decompress_many, compressor.decompress_many_bytes):
        assert many([], progress=lambda items, size: pytest.fail("nothing is done")) == []
    for many in (compressor.iter_compress, compressor.iter_decompress, compressor.iter_decompress_bytes):
        assert list(many([])) == []


def test_text_as_single_calls_take_it(fast):
    texts = ["", "lone \ud800 surrogate", "nul \0 nul", "😀 שלום"]
    packed = fast.compress_many(texts)
    assert packed == [fast.compress(text) for text in texts]
    assert fast.decompress_many(packed) == texts


def test_iterables_of_all_kinds(fast):
    texts = ["one", bytearray(b"two"), memoryview(b"three")]
    packed = [fast.compress(text) for text in texts]
    for items in (texts, tuple(texts), iter(texts), (text for text in texts), dict(zip(texts[:1], packed))):
        expected = packed[:1] if isinstance(items, dict) else packed
        assert fast.compress_many(items) == expected
    assert fast.decompress_many(map(bytearray, packed)) == ["one", "two", "three"]
    assert fast.decompress_many(map(memoryview, packed)) == ["one", "two", "three"]


def test_one_buffer_for_all_items(fast):
    def items():
        buffer = bytearray(3)
        for word in (b"one", b"two", b"six"):
            buffer[:] = word
            yield buffer

    expected = ["one", "two", "six"]
    assert fast.decompress_many(fast.compress_many(items())) == expected
    assert list(fast.iter_decompress(fast.iter_compress(items()))) == expected


def test_wrong_types(fast):
    for many in (fast.compress_many, fast.iter_compress):
        for one in ("a text", b"a text"):
            with pytest.raises(TypeError, match="iterable of items"):
                many(one)
        with pytest.raises(TypeError):
            many(3)
    for many in (fast.decompress_many, fast.decompress_many_bytes, fast.iter_decompress, fast.iter_decompress_bytes):
        with pytest.raises(TypeError, match="iterable of items"):
            many(b"an archive")
        with pytest.raises(TypeError):
            list(many(["an archive is no str"], errors="return"))
    with pytest.raises(TypeError):
        fast.compress_many(["text", 3], errors="return")
    given = fast.iter_compress(["text", 3], errors="return")
    assert next(given) == fast.compress("text")
    with pytest.raises(TypeError):
        next(given)


def test_unknown_errors_mode(fast):
    for many in every_form(fast):
        with pytest.raises(ValueError, match="errors"):
            many([], errors="ignore")


def test_the_first_error_is_raised(compressor, damaged):
    for many in (compressor.decompress_many, compressor.decompress_many_bytes):
        with pytest.raises(smll.Error, match="^item 3: not smll data") as caught:
            many(damaged)
        assert (caught.value.kind, caught.value.index) == ("data", 3)


def test_errors_in_their_items_places(compressor, damaged):
    results = compressor.decompress_many(damaged, errors="return")
    assert [i for i, result in enumerate(results) if isinstance(result, smll.Error)] == [3, 7]
    assert [results[i].index for i in (3, 7)] == [3, 7]
    assert results[7].kind == "data"
    assert str(results[7]).startswith("item 7: not smll data")
    again = pickle.loads(pickle.dumps(results[7]))
    assert (again.kind, again.index, str(again)) == ("data", 7, str(results[7]))
    assert [r for r in results if isinstance(r, str)] == [t for i, t in enumerate(TEXTS) if i not in (3, 7)]
    assert list(map(str, compressor.iter_decompress(damaged, errors="return"))) == list(map(str, results))
    raw = compressor.decompress_many_bytes(damaged, errors="return")
    assert [r.decode() for r in raw if isinstance(r, bytes)] == [r for r in results if isinstance(r, str)]
    assert str(raw[3]) == str(results[3])


def test_iterators_raise_behind_what_came_before(compressor, damaged):
    given = compressor.iter_decompress(damaged)
    assert list(itertools.islice(given, 3)) == TEXTS[:3]
    with pytest.raises(smll.Error) as caught:
        next(given)
    assert caught.value.index == 3


def test_single_calls_errors_have_no_index(fast):
    with pytest.raises(smll.Error) as caught:
        fast.decompress(b"hello")
    assert caught.value.index is None


def test_items_that_are_no_text(fast):
    packed = fast.compress_many(["text", b"\xff\xfe", "more"])
    assert fast.decompress_many_bytes(packed) == [b"text", b"\xff\xfe", b"more"]
    with pytest.raises(UnicodeDecodeError, match="item 1"):
        fast.decompress_many(packed)
    for results in (fast.decompress_many(packed, errors="return"), list(fast.iter_decompress(packed, errors="return"))):
        assert (results[0], results[2]) == ("text", "more")
        assert isinstance(results[1], UnicodeDecodeError)
        assert "item 1" in str(results[1])
    given = fast.iter_decompress(packed)
    assert next(given) == "text"
    with pytest.raises(UnicodeDecodeError, match="item 1"):
        next(given)


def test_limits_count_for_each_item():
    texts = [lines(100), lines(101), lines(100), lines(70_000), b""]
    packed = smll.Compressor(level=1).compress_many(texts)
    for limited, given in ((smll.Compressor(level=1, max_bytes=100), {}), (smll.Compressor(level=1), {"max_bytes": 100})):
        results = limited.decompress_many_bytes(packed, errors="return", **given)
        assert [results[0], results[2], results[4]] == [texts[0], texts[2], texts[4]]
        assert [results[1].kind, results[3].kind] == ["memory", "memory"]
        texts_or_errors = limited.decompress_many(packed, errors="return", **given)
        assert list(map(type, texts_or_errors)) == [str, smll.Error, str, smll.Error, str]
        ahead = limited.iter_decompress(packed, errors="return", **given)
        assert list(map(type, ahead)) == [str, smll.Error, str, smll.Error, str]
        ahead = limited.iter_decompress_bytes(packed, errors="return", **given)
        assert list(map(type, ahead)) == [bytes, smll.Error, bytes, smll.Error, bytes]
    assert smll.Compressor(level=1, max_bytes=100).decompress_many_bytes(packed, max_bytes=0) == texts


def test_a_missing_model_is_the_error_of_items_that_need_it(cache):
    compressor = smll.Compressor(download=False)
    results = compressor.compress_many(["", "a text that wants a model", noise(100)], errors="return")
    assert isinstance(results[0], bytes)
    assert results[1].kind == "model"
    assert isinstance(results[2], bytes)


def test_endless_iterables(compressor, archives):
    endless = compressor.iter_compress(itertools.cycle(TEXTS))
    assert list(itertools.islice(endless, 2 * len(TEXTS))) == archives + archives
    endless = compressor.iter_decompress(itertools.cycle(archives))
    assert list(itertools.islice(endless, 2 * len(TEXTS))) == TEXTS + TEXTS


def most_ahead(fast, item, items):
    """The most items that were taken and not yet given."""
    taken = most = 0

    def source():
        nonlocal taken
        for taken in range(1, items + 1):
            yield item

    for given, _ in enumerate(fast.iter_compress(source())):
        most = max(most, taken - given)
    return most


def test_look_ahead_is_bounded(fast, monkeypatch):
    assert most_ahead(fast, b"", 600) == _many.AHEAD_ITEMS
    monkeypatch.setattr(_many, "AHEAD_BYTES", 4000)
    assert most_ahead(fast, bytes(1000), 10) == 4
    assert most_ahead(fast, bytes(4001), 3) == 1


def test_items_are_taken_when_they_are_needed(fast):
    source = iter([""] * 1000)
    given = fast.iter_compress(source)
    assert len(list(itertools.islice(source, 10))) == 10
    next(given)
    assert len(list(source)) == 1000 - 10 - _many.AHEAD_ITEMS


def test_numbers_count_through_all_parts(fast):
    wrong = _many.AHEAD_ITEMS + 5
    packed = [fast.compress("text")] * (wrong + 10)
    packed[wrong] = b"hello"
    results = list(fast.iter_decompress(packed, errors="return"))
    assert results[wrong].index == wrong
    with pytest.raises(smll.Error, match=f"item {wrong}: "):
        list(fast.iter_decompress(packed))
    packed[wrong] = fast.compress(b"\xff")
    with pytest.raises(UnicodeDecodeError, match=f"item {wrong}$"):
        list(fast.iter_decompress(packed))


@pytest.mark.parametrize("count", [0, 5, _many.AHEAD_ITEMS, _many.AHEAD_ITEMS + 5])
def test_a_source_that_raises(fast, count):
    def source():
        yield from [""] * count
        raise KeyError("mine")

    results = []
    with pytest.raises(KeyError, match="mine"):
        for each in fast.iter_compress(source()):
            results.append(each)
    assert results == [fast.compress("")] * count
    with pytest.raises(KeyError, match="mine"):
        fast.compress_many(source())


def test_progress(compressor, archives):
    sizes = [len(text) for text in TEXTS]
    for many, given, size in (
        (compressor.compress_many, TEXTS, sum(sizes)),
        (compressor.decompress_many, archives, sum(map(len, archives))),
        (compressor.decompress_many_bytes, archives, sum(map(len, archives))),
    ):
        calls = []
        many(given, progress=lambda *call: calls.append((*call, threading.get_ident())))
        assert calls[-1] == (len(TEXTS), size, threading.get_ident())
        assert calls == sorted(set(calls))
        assert calls[0][0] > 0


def test_progress_counts_items_that_fail(compressor, damaged):
    calls = []
    compressor.decompress_many(damaged, errors="return", progress=lambda *call: calls.append(call))
    assert calls[-1] == (len(damaged), sum(map(len, damaged)))


def test_what_progress_raises_ends_the_call(compressor, archives):
    def stop(items, size):
        calls.append(items)
        raise KeyError("mine")

    for many, given in ((compressor.compress_many, TEXTS), (compressor.decompress_many, archives)):
        calls = []
        with pytest.raises(KeyError, match="mine"):
            many(given, errors="return", progress=stop)
        assert len(calls) == 1
        calls = []
    raised = smll.Error("mine")
    for errors in ("raise", "return"):
        with pytest.raises(smll.Error) as caught:
            compressor.compress_many(TEXTS, errors=errors, progress=lambda *_: (_ for _ in ()).throw(raised))
        assert caught.value is raised
    assert compressor.compress_many(TEXTS) == archives


def test_progress_may_call_the_compressor(compressor, archives):
    inner = []
    compressor.compress_many(TEXTS, progress=lambda *_: inner.append(compressor.compress_many(TEXTS[:3])))
    assert inner and all(each == archives[:3] for each in inner)


def test_many_threads_at_once(compressor, archives):
    results = []

    def work():
        results.append((compressor.compress_many(TEXTS), compressor.decompress_many(archives)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(archives, TEXTS)] * 8


def test_the_interpreter_is_free_meanwhile():
    compressor = smll.Compressor(level=2)
    ticks = 0
    done = threading.Event()
    worker = threading.Thread(target=lambda: (compressor.compress_many([lines(4_000)] * 10), done.set()))
    worker.start()
    while not done.wait(0.005):
        ticks += 1
    worker.join()
    assert ticks > 2


class Stop(Exception):
    pass


@pytest.fixture
def alarms():
    """Sends signals to this process, whose handler raises once, from within a call of the package."""
    before = signal.getsignal(signal.SIGALRM)

    def stop(number, frame):
        if pathlib.Path(frame.f_code.co_filename).parent.name == "smll":
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Stop

    signal.signal(signal.SIGALRM, stop)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("sizes", [[8_000], [20] * 800], ids=["within an item", "between items"])
def test_signals_end_calls(compressor, alarms, sizes):
    texts = [lines(size) for size in sizes]
    packed = compressor.compress_many(texts)
    done = []
    for many, given in (
        (compressor.compress_many, texts),
        (compressor.decompress_many, packed),
        (compressor.decompress_many_bytes, packed),
    ):
        alarms()
        with pytest.raises(Stop):
            many(given, errors="return", progress=lambda items, size: done.append(items))
        assert len(texts) not in done
    for many, given in ((compressor.iter_compress, texts), (compressor.iter_decompress, packed)):
        alarms()
        with pytest.raises(Stop):
            list(many(given, errors="return"))
    assert compressor.decompress_many_bytes(packed[:50]) == texts[:50]


def test_a_closed_compressor(test_model):
    compressor = smll.Compressor(test_model)
    started = compressor.iter_compress(itertools.cycle(["text"]))
    next(started)
    compressor.close()
    for many in every_form(compressor):
        with pytest.raises(ValueError, match="closed"):
            many([])
    with pytest.raises(ValueError, match="closed"):
        list(started)


def test_pickled_compressors(compressor, archives):
    again = pickle.loads(pickle.dumps(compressor))
    assert again.compress_many(TEXTS) == archives


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_goes_on(compressor, archives):
    started = compressor.iter_compress(itertools.cycle(TEXTS))
    assert next(started) == archives[0]
    child = os.fork()
    if child == 0:
        ahead = list(itertools.islice(started, _many.AHEAD_ITEMS))
        expected = list(itertools.islice(itertools.cycle(archives), 1, _many.AHEAD_ITEMS + 1))
        os._exit(0 if ahead == expected and compressor.decompress_many(archives) == TEXTS else 1)
    assert os.waitpid(child, 0)[1] == 0
