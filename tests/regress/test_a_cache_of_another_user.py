"""Without HOME the cache was a fixed name in the directory for temporary files, which anyone could make first, and the
index in a cache chose models whoever had written it."""

import json
import os
import shutil
import stat
import subprocess

import pytest
from conftest import lines

NOBODY = 54321  # a user that the system does not know, and who has no home
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to others needs root")


def index_of(directory, model):
    """An index that names `model` for a fingerprint of its own."""
    directory.mkdir()
    line = {"fingerprint": "00000000deadbeef", "name": "theirs", "path": str(model), "size": os.path.getsize(model)}
    path = directory / "index.json"
    path.write_text(json.dumps({"models": [line]}))
    return path


def without_home(smll, tmp_path, *arguments, **options):
    environment = {"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    return subprocess.run([smll.binary, *arguments], env=environment, cwd=tmp_path, capture_output=True, timeout=60,
                          **options)


def test_no_cache_in_the_directory_for_temporary_files(smll, test_model, tmp_path):
    index_of(tmp_path / "smll-cache", test_model)
    assert b"theirs" not in without_home(smll, tmp_path, "models", "list").stdout


@needs_root
def test_what_to_set_where_no_cache_can_be_had(smll, tmp_path):
    os.chmod(tmp_path, 0o777)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, stat.S_IMODE(parent.stat().st_mode) | 0o111)
    program = shutil.copy(smll.binary, tmp_path / "smll")
    smll.binary = program
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    for arguments in (["models", "pull"], ["--experts", "llm", "-c"]):
        result = without_home(smll, tmp_path, *arguments, input=b"some text", **user)
        assert result.returncode == 3 and b"SMLL_CACHE" in result.stderr and b"Traceback" not in result.stderr
    assert without_home(smll, tmp_path, "-1", "-c", input=b"some text", **user).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["smll"]


@needs_root
@pytest.mark.parametrize("theirs", ["the directory", "the index"])
def test_another_users_index_chooses_no_model(smll, test_model, tmp_path, theirs):
    smll.write("f", lines(500))
    smll("--model", test_model, "--experts", "llm", "f")
    smll("-d", "-c", "f.smll")
    cache = tmp_path / "theirs"
    shutil.copytree(os.environ["SMLL_CACHE"], cache)
    os.chown(cache if theirs == "the directory" else cache / "index.json", NOBODY, NOBODY)
    environment = {"SMLL_CACHE": str(cache)}
    message = smll("-d", "-c", "f.smll", status=3, env=environment).stderr
    assert b"is not here" in message
    listing = smll("models", "list", env=environment)
    assert test_model.encode() not in listing.stdout
    if theirs == "the directory":
        for said in (message, listing.stderr, smll("models", "pull", status=3, env=environment).stderr):
            assert str(cache).encode() in said and b"another user" in said and b"SMLL_CACHE" in said
    # An index that is not believed makes room for one's own.
    else:
        smll("--model", test_model, "--experts", "llm", "-f", "f", env=environment)
        smll("-d", "-c", "f.smll", env=environment)


def test_what_others_may_write_to(smll, test_model, tmp_path):
    smll.write("f", lines(500))
    smll("--model", test_model, "--experts", "llm", "f")
    cache = os.environ["SMLL_CACHE"]
    for mode in (0o775, 0o757):
        os.chmod(cache, mode)
        assert b"chmod go-w" in smll("-d", "-c", "f.smll", status=3).stderr
    os.chmod(cache, 0o755)
    smll("-d", "-c", "f.smll")
    os.chmod(os.path.join(cache, "index.json"), 0o666)
    assert b"is not here" in smll("-d", "-c", "f.smll", status=3).stderr


def test_an_index_that_is_no_file_hangs_nothing(smll):
    os.mkfifo(os.path.join(os.environ["SMLL_CACHE"], "index.json"))
    smll("models", "list", timeout=20)
