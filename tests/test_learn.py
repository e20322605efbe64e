"""A model that learns from what it codes (--learn, and the highest level)."""

import io
import pathlib

import pytest

TEXT = (pathlib.Path(__file__).resolve().parent / "golden" / "mixed.txt").read_bytes() * 2


def compress(smll, model, *options, text=TEXT):
    common = ["-c", "--model", model, "--window", "128", "--experts", "llm"]
    return smll(*common, *options, input=text).stdout


def test_the_archive_says_that_it_learns(smll, test_model):
    text = TEXT[:3000]
    plain = compress(smll, test_model, "--lanes", "1", text=text)
    learnt = compress(smll, test_model, "--learn", text=text)
    assert learnt != plain
    for archive in (plain, learnt):
        # Readers do as the archive says, whatever they are told.
        for options in ([], ["-T", "1"], ["--learn"], ["-9"], ["--no-learn"]):
            assert smll("-dc", "--model", test_model, *options, input=archive).stdout == text


def test_each_frame_starts_with_the_model_as_it_was(smll, test_model, tmp_path):
    path = tmp_path / "frames.smll"
    path.write_bytes(compress(smll, test_model, "--learn", "--frame-size", "3000"))
    assert smll("-dc", "--model", test_model, "--range", "9500:700", str(path)).stdout == TEXT[9500:10200]


def test_the_highest_level_learns_unless_told_otherwise(smll, test_model):
    best = compress(smll, test_model, "-9")
    assert compress(smll, test_model, "-9", "--learn") == best
    assert compress(smll, test_model, "-9", "--no-learn", "--learn") == best
    plain = compress(smll, test_model, "-9", "--no-learn")
    assert plain != best
    assert plain == compress(smll, test_model, "--lanes", "1")
    # More lanes are asked for: they win over what the level stands for.
    several = compress(smll, test_model, "-9", "--lanes", "2")
    assert several == compress(smll, test_model, "--lanes", "2")


@pytest.mark.parametrize("options, message", [
    (["--learn", "--lanes", "2"], b"one lane"),
    (["--learn", "--backend", "llama"], b"exact backend"),
])
def test_what_does_not_go_together_is_refused(smll, test_model, options, message):
    refused = smll("-c", "--model", test_model, *options, input=TEXT, status=None)
    assert refused.returncode == 2 and message in refused.stderr and refused.stdout == b""


def test_damage_is_found(smll, test_model, tmp_path):
    archive = compress(smll, test_model, "--learn", text=TEXT[:3000])
    path = tmp_path / "damaged.smll"
    for place in range(100, len(archive), len(archive) // 4):
        path.write_bytes(archive[:place] + bytes([archive[place] ^ 1]) + archive[place + 1:])
        refused = smll("-dc", "--model", test_model, str(path), status=1)
        assert refused.stdout == b"" and b"damaged" in refused.stderr


def test_python(test_model):
    import smll

    text = TEXT.decode("latin-1")

    def compressor(**options):
        return smll.Compressor(test_model, window=128, experts="llm", **options)

    with compressor(learn=True) as learns, compressor(lanes=1) as plain, compressor(level=9) as best:
        archive = learns.compress(text)
        assert archive != plain.compress(text)
        assert archive == best.compress(text)
        assert best.decompress(archive) == text
        explained = sum(cost.model_bits for cost in learns.explain(text)) / 8
        assert len(archive) == pytest.approx(explained, abs=12)
        with pytest.raises(smll.Error, match="another model"):
            plain.decompress(archive)  # the compact form says nothing of its model: both sides agree on it
        stream = io.BytesIO()
        with smll.open(stream, "wb", compressor=learns) as file:
            file.write(text.encode())
        assert plain.decompress(stream.getvalue()) == text  # a file says that it learns
    with pytest.raises(smll.Error, match="exact backend"):
        smll.Compressor(test_model, backend="llama", learn=True)
