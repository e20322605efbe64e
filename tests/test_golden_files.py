"""Archives that people have must stay readable: what a released smll wrote is never written over, and what versions before 1.0
wrote is read or refused with what to do."""

import hashlib

import pytest
from test_exact import GOLDEN, TEXT, TEXTS, UNIT_TEST_TEXT

BEFORE = TEXTS / "v0"


def test_archives_are_what_they_were():
    sums = dict(reversed(line.split("  ")) for line in (GOLDEN / "SHA256SUMS").read_text().splitlines())
    present = {str(path.relative_to(GOLDEN)): hashlib.sha256(path.read_bytes()).hexdigest()
               for path in GOLDEN.rglob("*.smll*")}
    assert present == sums


@pytest.mark.parametrize("name", ["llm", "lanes", "learn", "mixed", "mixed-learn"])
def test_of_versions_before_1_0_is_read(smll, test_model, name):
    archive = BEFORE / f"{name}.smll"
    text = UNIT_TEST_TEXT if "mixed" in name else TEXT.read_bytes()
    assert smll("-dc", "--model", test_model, str(archive)).stdout == text
    assert smll("-l", "-v", str(archive)).returncode == 0


def test_of_versions_before_1_0_with_a_dictionary(smll, test_model, tmp_path):
    opening = tmp_path / "golden"
    opening.write_bytes(TEXT.read_bytes()[-6000:])
    for name in ("dictionary-llm", "dictionary-mixed", "dictionary-learn"):
        archive = str(BEFORE / f"{name}.smll")
        assert smll("-dc", "--model", test_model, "-D", str(opening), archive).stdout == TEXT.read_bytes()[:600]
        assert b"dictionary" in smll("-dc", "--model", test_model, archive, status=3).stderr


@pytest.mark.real_model
def test_of_versions_before_1_0_with_the_real_model(smll, real_model):
    assert smll("-dc", "--model", real_model, str(BEFORE / "real.smll")).stdout == (TEXTS / "real.txt").read_bytes()


def test_compact_texts_of_versions_before_1_0_are_refused(test_model):
    smll = pytest.importorskip("smll")
    with smll.Compressor(test_model) as compressor:
        for data in ((BEFORE / "compact-llm.smll").read_bytes(), b"\xd3text"):
            with pytest.raises(smll.Error, match="before 1.0"):
                compressor.decompress(data)
        with pytest.raises(smll.Error, match="later smll"):
            compressor.decompress(b"\xf0text")


def later_set(archive):
    """A frame's tag of a prediction set that only a later smll knows, in front of what follows an archive's header."""
    return archive[:4] + bytes([0x20 | archive[4], 2]) + archive[5:]


def test_predictions_of_a_later_version_are_refused(smll):
    archive = later_set((GOLDEN / "cm.smll").read_bytes())
    for command in ("-dc", "-t", "-l"):
        refused = smll(command, input=archive, status=1)
        assert refused.stdout == b"" and b"predictions are version 2" in refused.stderr and b"newer smll" in refused.stderr
