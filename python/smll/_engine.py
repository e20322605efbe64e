"""What compressors and files with equal settings share, so that a process loads each model once."""

from __future__ import annotations

import collections
import os
import threading
import weakref
from typing import Deque, Hashable, List, NamedTuple, Optional, Tuple

from . import _smll

# Engines without an owner are kept so many at a time: one for `smll.open`, one for unpickled compressors.
_KEPT = 2

# The environment's part in what a model's name means.
_VARIABLES = ("SMLL_MODEL", "SMLL_CACHE", "XDG_CACHE_HOME", "HOME")


# The length of a range without an end.
TO_THE_END = (1 << 64) - 1

# max_bytes, max_memory, max_seconds of a Compressor.
Limits = Tuple[int, int, float]


class ModelSettings(NamedTuple):
    """The arguments of `_smll.Model`."""

    model: str
    backend: str
    isa: str
    device: str
    threads: int
    window: int
    learns: bool
    download: bool
    dictionary: Optional[_smll.Dictionary]


class Engine:
    """A model, loaded at first use, and what compresses texts in memory with it."""

    def __init__(self, model: _smll.Model, experts: str, lanes: int) -> None:
        self.model = model
        self.experts = experts
        self.lanes = lanes
        self.compressor = _smll.Compressor(model, experts, lanes)

    def reader(self, file: object, start: int, limits: Limits, length: int = TO_THE_END) -> _smll.Reader:
        return _smll.Reader(self.model, file, (start, length), limits)

    def writer(self, file: object) -> _smll.Writer:
        return _smll.Writer(self.model, file, self.experts, self.lanes)


class _Table:
    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may come back here
        self.models: "weakref.WeakValueDictionary[Hashable, _smll.Model]" = weakref.WeakValueDictionary()
        self.engines: "weakref.WeakValueDictionary[Hashable, Engine]" = weakref.WeakValueDictionary()
        self.kept: Deque[Engine] = collections.deque(maxlen=_KEPT)


_table = _Table()
_of_the_parent: List[object] = []


def _find_main_thread() -> None:
    _smll.set_main_thread(threading.main_thread().ident or 0)


def _after_fork() -> None:
    _find_main_thread()
    # A child has the memory of its parent's engines but not their threads, so neither using nor freeing them is safe.
    global _table
    _of_the_parent.extend((_table, *_table.models.values(), *_table.engines.values()))
    _table = _Table()


_find_main_thread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _file_of(spec: str) -> Optional[Tuple[int, ...]]:
    try:
        status = os.stat(spec or os.environ.get("SMLL_MODEL", ""))
    except (OSError, ValueError):
        return None  # the name of a model in the cache
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def shared_engine(settings: ModelSettings, experts: str, lanes: int) -> Engine:
    """The engine for these settings, made when there is none. It lives as long as somebody holds it."""
    table = _table
    key = (settings, _file_of(settings.model), tuple(map(os.environ.get, _VARIABLES)))
    with table.lock:
        engine = table.engines.get((key, experts, lanes))
        if engine is None:
            model = table.models.get(key)
            if model is None:
                arguments = settings._asdict()
                arguments["model"] = os.fsencode(settings.model)
                model = table.models[key] = _smll.Model(**arguments)
            engine = table.engines[(key, experts, lanes)] = Engine(model, experts, lanes)
        return engine


def keep(engine: Engine) -> None:
    """Holds the engine for others that want it soon, instead of those that nobody asked for lately."""
    table = _table
    with table.lock:
        if engine in table.kept:
            table.kept.remove(engine)
        table.kept.append(engine)



def is_of_the_parent(engine: Engine) -> bool:
    """Whether the engine was made before this process was forked, so that it must not be used."""
    return engine in _of_the_parent
