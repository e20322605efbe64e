"""The default model's tokenizer, and its vocabulary, against llama.cpp's; src/lm/llama/tokenizer_test.cc compares those of
generated vocabularies in the same way."""

import os
import subprocess

import pytest
from conftest import BUILD, ROOT


@pytest.mark.real_model
def test_the_default_model_is_fed_what_llama_cpp_makes(real_model):
    program = BUILD / "smll_tests"
    if not program.exists():
        pytest.skip(f"{program} is not built: make unit")
    environment = {**os.environ, "SMLL_REAL_MODEL": real_model, "SMLL_REAL_TEXT": str(ROOT / "docs/smll.1")}
    filter_option = "--gtest_filter=Tokenizers.OfARealModelIsLlamaCpps"
    run = subprocess.run([program, filter_option], env=environment, capture_output=True, text=True)
    assert run.returncode == 0 and "[  PASSED  ] 1 test." in run.stdout, run.stdout
