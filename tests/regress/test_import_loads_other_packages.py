"""`import smll` imported fsspec wherever that was installed, which took three times as long as all of smll."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("smll", reason="the Python module is not built: run make")


def run(script):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_only_the_standard_library_is_loaded():
    run(
        "import sys\nbefore = set(sys.modules)\nimport smll\n"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before} - {'smll'}\n"
        "assert loaded <= sys.stdlib_module_names, loaded - sys.stdlib_module_names"
    )


@pytest.mark.parametrize("imports", ["import smll, fsspec", "import fsspec, smll", "import smll, smll._fsspec; smll._fsspec.register(); import fsspec"])
def test_fsspec_knows_smll_whichever_comes_first(tmp_path, imports):
    pytest.importorskip("fsspec")
    path = str(tmp_path / "f.smll")
    run(
        f"{imports}\nwith fsspec.open({path!r}, 'wb', compression='smll') as file: file.write(b'text')\n"
        f"with fsspec.open({path!r}, compression='infer') as file: assert file.read() == b'text'\n"
        f"assert open({path!r}, 'rb').read(3) == b'\\xf3ml'"
    )
