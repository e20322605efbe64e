"""The program's constants stand in docs/spec, and whoever changes one alone is told."""

import importlib.machinery
import importlib.util
import shutil

import pytest
from conftest import ROOT


@pytest.fixture
def check_spec(tmp_path):
    """scripts/check_spec over a copy of the sources and the specification."""
    loader = importlib.machinery.SourceFileLoader("check_spec", str(ROOT / "scripts" / "check_spec"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_spec", loader))
    loader.exec_module(module)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    shutil.copytree(ROOT / "include", tmp_path / "include")
    shutil.copytree(ROOT / "docs" / "spec", tmp_path / "docs" / "spec")
    module.ROOT, module.PAGE = tmp_path, tmp_path / "docs" / "spec" / "constants.md"
    return module


CHANGES = [
    ("src/mix/mixer.h", "kRatesShortText{30, 30, 100, 10}", "kRatesShortText{30, 30, 100, 11}"),
    ("src/mix/end_model.cc", "{250, 100, 200, 40}", "{250, 100, 210, 40}"),
    ("src/mix/bit_network.cc", "3 * p1", "9 * p1"),
    ("src/mix/contexts.cc", '"order 2", kAloneContext | kMixedContext, 16', '"order 2", kAloneContext | kMixedContext, 15'),
    ("src/coder/range_coder.h", "kTopBits = 56", "kTopBits = 48"),
    ("src/codec/short_head.h", "kMixedAlone = 16384", "kMixedAlone = 16385"),
    ("src/codec/openings.cc", "Here is the CSV file", "Here is a CSV file"),
    ("src/codec/english.cc", "It was the first time", "It was the last time"),
    ("src/lm/exact/cpu/vector_ops.inc", "0.499999935f", "0.499999936f"),
    ("src/lm/exact/learner.cc", "kHaste = 6.0f", "kHaste = 5.0f"),
    ("src/lm/exact/kv_cache.h", "kSegment = 256", "kSegment = 128"),
    ("src/format/records.h", "kMaxSetUp = 1023", "kMaxSetUp = 1024"),
    ("src/format/frame.h", "kCmEnglish = 6", "kCmEnglish = 5"),
    ("src/format/compact.cc", "& 0x7F", "& 0x3F"),
    ("src/codec/size_code.h", "kMaxCompact = (std::size_t{1} << 16) - 1", "kMaxCompact = (std::size_t{1} << 15) - 1"),
    ("src/hub/registry.cc", '{2, "gemma3-270m"', '{3, "gemma3-270m"'),
    ("include/smll/options.h", "kExact = 0, kLlama = 1", "kLlama = 0, kExact = 1"),
]


def test_the_specification_has_the_programs_numbers(check_spec):
    assert check_spec.check_all() == []


@pytest.mark.parametrize("source, old, new", CHANGES)
def test_a_changed_number_is_seen(check_spec, source, old, new):
    path = check_spec.ROOT / source
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert check_spec.check_all() != []
