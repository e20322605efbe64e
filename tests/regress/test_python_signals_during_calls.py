"""Ctrl-C acted only when a call of the Python package ended, 7 to 9 seconds later for 28 KB of text. Handlers of signals
run during calls, and what they raise ends the call."""

import io
import pathlib
import signal
import threading

import pytest
from conftest import lines

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")


class Stop(Exception):
    pass


@pytest.fixture
def alarms():
    """Starts sending signals to this process; what is given says what the handler does."""
    before = signal.getsignal(signal.SIGALRM)

    def start(handler):
        signal.signal(signal.SIGALRM, lambda number, frame: handler(frame))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def handled_during(alarms, work):
    """How often a handler ran while `work` was one call."""
    count = 0

    def handler(frame):
        nonlocal count
        count += 1

    alarms(handler)
    work()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return count


def written(compressor, data):
    stream = io.BytesIO()
    with smll.open(stream, "wb", compressor=compressor) as file:
        file.write(data)
    stream.seek(0)
    return stream


# Signals that come while no handler can run are handled as one, after the call; twice means within it.
@pytest.mark.parametrize("experts", ["all", "llm", "cm"])
def test_texts(test_model, alarms, experts):
    compressor = smll.Compressor(test_model, threads=1, experts=experts)
    text = lines(30_000)
    packed = compressor.compress(text)
    assert handled_during(alarms, lambda: compressor.compress(text)) > 2
    assert handled_during(alarms, lambda: compressor.decompress_bytes(packed)) > 2


def test_explaining(test_model, alarms):
    compressor = smll.Compressor(test_model, threads=1)
    assert handled_during(alarms, lambda: compressor.explain(lines(8_000))) > 2
    assert handled_during(alarms, lambda: compressor.ablate(lines(3_000))) > 2


@pytest.mark.parametrize("experts", ["all", "cm"])
def test_files(test_model, alarms, experts):
    compressor = smll.Compressor(test_model, threads=2, experts=experts)
    data = lines(50_000)  # so much asks a sample first
    file = smll.open(io.BytesIO(), "wb", compressor=compressor)
    file.write(data)
    assert handled_during(alarms, file.flush) > 2
    stream = written(compressor, data)
    file = smll.open(stream, compressor=compressor)
    assert handled_during(alarms, lambda: file.read(1)) > 2


def stop(frame):
    """Raises once, from within a call of the package."""
    if pathlib.Path(frame.f_code.co_filename).parent.name == "smll":
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Stop


def test_an_interrupted_text_leaves_the_compressor_whole(test_model, alarms):
    compressor = smll.Compressor(test_model, threads=2)
    packed = compressor.compress(lines(12_000))
    for work in (lambda: compressor.compress(lines(12_000)), lambda: compressor.decompress_bytes(packed)):
        alarms(stop)
        with pytest.raises(Stop):
            work()
    assert compressor.decompress_bytes(compressor.compress(lines(500))) == lines(500)


def test_an_interrupted_archive_does_not_look_whole(test_model, alarms):
    stream = io.BytesIO()
    compressor = smll.Compressor(test_model, threads=2)
    with pytest.raises(Stop), smll.open(stream, "wb", compressor=compressor) as file:
        file.write(b"a first frame\n")
        file.flush()
        file.write(lines(35_000))
        alarms(stop)
        file.flush()
    assert file.closed
    with pytest.raises(smll.Error) as caught:
        compressor.decompress_bytes(stream.getvalue())
    assert caught.value.kind == "data"


def test_an_interrupted_read_can_be_repeated(test_model, alarms):
    compressor = smll.Compressor(test_model, threads=2)
    file = smll.open(written(compressor, lines(30_000)), compressor=compressor)
    alarms(stop)
    with pytest.raises(Stop):
        file.read(1)
    assert file.read() == lines(30_000)


def test_other_threads_are_left_alone(test_model, alarms):
    """Handlers run in the main thread, whatever the others do."""
    compressor = smll.Compressor(test_model, threads=1)
    where = set()
    alarms(lambda frame: where.add(threading.current_thread()))
    worker = threading.Thread(target=compressor.compress, args=(lines(20_000),))
    worker.start()
    worker.join()
    assert where == {threading.main_thread()}
