"""What is damaged, hostile, or needs what is not here is refused: with its exit code, what there is to say, and no more than the frames
that were whole."""

import shutil

import pytest
from conftest import Cli
from golden_cases import ERRORS, WINDOW_IN_MEMORY, refusals

REFUSALS = refusals()


@pytest.fixture
def there(binary, cache):
    """The program, run where the table's archives are."""
    return Cli(binary, ERRORS)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_the_program(there, test_model, refusal):
    options = [option.replace("{MODEL}", test_model) for option in refusal.options]
    refused = there("-dc", *options, refusal.archive, status=refusal.status)
    assert refused.stderr.decode() == f"smll: {refusal.message}\n".replace("{MODEL}", test_model)


def test_nothing_is_written(smll, test_model):
    names = sorted({refusal.path.name for refusal in REFUSALS if refusal.path.parent == ERRORS})
    for name in names:
        shutil.copy(ERRORS / name, smll.directory)
    refused = smll("-d", "--model", test_model, *names, status=3)  # the worst of 1 and 3
    assert len(refused.stderr.splitlines()) == len(names)
    assert sorted(path.name for path in smll.directory.iterdir()) == names


@pytest.mark.parametrize("refusal", [refusal for refusal in REFUSALS if refusal.in_memory is not None], ids=lambda refusal: refusal.name)
def test_python(cache, test_model, monkeypatch, refusal):
    smll = pytest.importorskip("smll")
    monkeypatch.chdir(ERRORS)
    with pytest.raises(smll.Error) as refused:
        with smll.Compressor(test_model, window=WINDOW_IN_MEMORY, dictionary=refusal.dictionary) as compressor:
            compressor.decompress(refusal.path.read_bytes())
    assert str(refused.value) == refusal.in_memory.replace("{MODEL}", test_model)


def test_every_archive_is_in_the_table():
    named = {refusal.path.name for refusal in REFUSALS} | {refusal.dictionary for refusal in REFUSALS if refusal.dictionary}
    assert named >= {path.name for path in ERRORS.glob("*.smll*")}
