"""The Python package's files against gzip's: the same random calls give the same results, or an exception of the same
kind. SMLL_RANDOM_FILES says how many sequences to try (40), SMLL_RANDOM_SEED where to begin (1)."""

import gzip
import io
import os
import random

import pytest

smll = pytest.importorskip("smll", reason="the Python module is not built: run make")

SEQUENCES = int(os.environ.get("SMLL_RANDOM_FILES", "40"))
SEED = int(os.environ.get("SMLL_RANDOM_SEED", "1"))
CALLS = 30
SIZES = (0, 1, 7, 100, 8191, 8192, 65_536, 300_000)


def content(rng):
    """Large pieces are noise, which is quick to read again and again."""
    size = rng.choice((0, 1, 100, 10_000, 400_000, 1_500_000))
    if size > 10_000:
        return rng.randbytes(size)
    line = rng.randbytes(60) + b"\n"
    return (line * (size // len(line) + 1))[:size]


def size(rng):
    return rng.choice((-1, None, *SIZES))


def offset(rng):
    return rng.choice((-1, 1)) * rng.choice((0, 1, 50, 9_000, 70_000, 399_990, 1_400_000, 3_000_000))


def reading_call(rng):
    buffer = rng.choice(SIZES)

    def into(file, name):
        target = bytearray(buffer)
        count = getattr(file, name)(target)
        return bytes(target[:count])

    limit, place, whence = size(rng), offset(rng), rng.choice((0, 0, 1, 1, 2, 5))
    return rng.choice(
        (
            ("read", lambda file: file.read(limit)),
            ("readline", lambda file: file.readline(-1 if limit is None else limit)),
            ("readlines", lambda file: file.readlines(500)),
            ("next", lambda file: next(file, None)),
            ("readinto", lambda file: into(file, "readinto")),
            ("seek", lambda file: file.seek(place, whence)),
            ("seek", lambda file: file.seek(abs(place))),
            ("tell", lambda file: file.tell()),
            # How much these give is their own affair; that it is what comes next is not.
            ("peek", lambda file: file.peek(1)[:1]),
            ("read1", lambda file: file.read1(min(buffer, 1))),
            ("seekable", lambda file: file.seekable()),
            ("readable", lambda file: file.readable()),
            ("flush", lambda file: file.flush()),
            ("write", lambda file: file.write(b"x")),
        )
    )


def writing_call(rng):
    data = rng.randbytes(rng.choice(SIZES))
    kind = rng.choice((bytes, bytearray, memoryview))
    place, whence = offset(rng), rng.choice((0, 1, 1, 2))
    return rng.choice(
        (
            ("write", lambda file: file.write(kind(data))),
            ("writelines", lambda file: file.writelines([data, data[:5]])),
            ("write text", lambda file: file.write("text")),
            ("write every other", lambda file: file.write(memoryview(data)[::2]) if len(data) > 1 else None),
            ("flush", lambda file: file.flush()),
            ("tell", lambda file: file.tell()),
            # gzip's seek() of CPython 3.12 and 3.13 returns where the file was before.
            ("seek", lambda file: (file.seek(place // 10, whence), file.tell())[1]),
            ("read", lambda file: file.read(3)),
            ("writable", lambda file: file.writable()),
            ("truncate", lambda file: file.truncate(3)),
        )
    )


def outcome(call, file):
    try:
        return call(file), None
    except Exception as error:
        return None, error


def same_calls(rng, calls, ours, theirs, log):
    for make in calls:
        name, call = make(rng)
        log.append(name)
        our_result, our_error = outcome(call, ours)
        their_result, their_error = outcome(call, theirs)
        assert our_result == their_result, (log, our_error, their_error)
        if their_error is None:
            assert our_error is None, (log, our_error)
        else:
            # Ours may be more exact: io.UnsupportedOperation is an OSError.
            assert isinstance(our_error, type(their_error)), (log, our_error, their_error)


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
def test_reading(seed):
    rng = random.Random(seed)
    packed, zipped = io.BytesIO(), io.BytesIO()
    with smll.open(packed, "wb", level=1) as ours, gzip.open(zipped, "wb", 1) as theirs:
        for _ in range(rng.randrange(1, 4)):
            data = content(rng)
            ours.write(data)
            theirs.write(data)
            if rng.random() < 0.5:
                ours.flush()
    packed.seek(0)
    zipped.seek(0)
    log = []
    with smll.open(packed) as ours, gzip.open(zipped) as theirs:
        same_calls(rng, [reading_call] * CALLS, ours, theirs, log)
        assert ours.tell() == theirs.tell(), log
        assert ours.read() == theirs.read(), log


@pytest.mark.parametrize("seed", range(SEED, SEED + SEQUENCES))
def test_writing(seed):
    rng = random.Random(seed)
    packed, zipped = io.BytesIO(), io.BytesIO()
    log = []
    for _ in range(rng.randrange(1, 3)):  # archives, one after the other
        with smll.open(packed, "wb", level=1) as ours, gzip.open(zipped, "wb", 1) as theirs:
            same_calls(rng, [writing_call] * (CALLS // 3), ours, theirs, log)
    assert smll.decompress_bytes(packed.getvalue()) == gzip.decompress(zipped.getvalue()), log


@pytest.mark.parametrize("mode", ["rb", "wb"])
def test_closed(mode):
    packed = io.BytesIO()
    smll.open(packed, "wb", level=1).close()
    packed.seek(0)
    zipped = io.BytesIO(gzip.compress(b""))
    ours, theirs = smll.open(packed, mode, level=1), gzip.open(zipped, mode)
    for file in (ours, theirs):
        file.close()
        file.close()
        assert file.closed
    for name, arguments in {
        "read": (1,), "readline": (), "readinto": (bytearray(3),), "write": (b"x",), "flush": (), "__next__": (), "__enter__": (),
    }.items():
        _, their_error = outcome(lambda file: getattr(file, name)(*arguments), theirs)
        _, our_error = outcome(lambda file: getattr(file, name)(*arguments), ours)
        assert isinstance(their_error, ValueError) and isinstance(our_error, ValueError), (name, our_error, their_error)
