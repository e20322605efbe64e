"""compression="smll" (and *.smll with "infer") of fsspec, for programs that use it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Optional, Sequence

from ._file import SmllFile

_MODULE = "fsspec.compression"


def _open_compressed(file: Any, mode: str = "rb", **_: Any) -> SmllFile:
    return SmllFile(file, mode)


def _register(compression: Any) -> None:
    compression.register_compression("smll", _open_compressed, "smll", force=True)


class _Finder:
    """Finds fsspec's module where the other finders do, and registers once it has been loaded."""

    def find_spec(
        self, name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if name != _MODULE:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _add_to_loading(spec.loader)
                return spec
        return None


def _add_to_loading(loader: Any) -> None:
    load = loader.exec_module

    def load_and_register(module: ModuleType) -> None:
        load(module)
        _register(module)

    loader.exec_module = load_and_register


def register() -> None:
    """Register now, or when fsspec is imported: importing it here would take longer than all of smll, for nothing where it
    is not used."""
    if _MODULE in sys.modules:
        _register(sys.modules[_MODULE])
    else:
        sys.meta_path.insert(0, _Finder())
