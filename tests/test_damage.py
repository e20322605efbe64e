"""No damaged archive is taken for a whole one. tests/damage.py runs this in the large."""

import json
import subprocess
import sys

from conftest import ROOT, lines, noise


def test_mutations_are_refused(binary, test_model, tmp_path):
    report = tmp_path / "report.json"
    subprocess.run([sys.executable, str(ROOT / "tests/damage.py"), "--binary", binary, "--model",
                    test_model, "--count", "80", "--report", str(report)], check=True)
    assert json.loads(report.read_text())["accepted"] == 0


def test_a_damaged_frame_costs_only_itself(smll):
    data = lines(100_000)
    smll.write("f", data)
    smll("-1", "--frame-size", "10000", "f")
    archive = bytearray(smll.path("f.smll").read_bytes())
    archive[len(archive) // 2] ^= 1
    smll.write("d.smll", bytes(archive))
    result = smll("-d", "d.smll", status=1)
    assert b"frame" in result.stderr and b"at byte" in result.stderr
    assert not smll.path("d").exists()
    result = smll("-d", "--keep-going", "d.smll", status=1)
    salvaged = smll.path("d").read_bytes()
    assert len(salvaged) >= 90_000
    assert salvaged in [data[: i * 10000] + data[(i + 1) * 10000 :] for i in range(10)]
    smll("-t", "--keep-going", "d.smll", status=1)


def test_truncated_streams_give_what_they_have(smll):
    archive = smll("-1", "--frame-size", "10000", input=lines(50_000)).stdout
    result = smll("-d", input=archive[: len(archive) * 2 // 3], status=1)
    assert b"cut" in result.stderr
    assert lines(50_000).startswith(result.stdout) and len(result.stdout) >= 20_000


def test_garbage_is_no_archive(smll):
    for data in (b"", b"x", b"plain text", noise(1000), b"\xf3", b"\xf3ml", b"\xf3ml\x02", b"\x1f\x8b\x08"):
        result = smll("-d", input=data, status=1)
        assert result.stderr and result.stdout == b""


def test_trailing_garbage_is_noticed(smll):
    archive = smll("-1", input=b"data").stdout
    result = smll("-d", input=archive + b"\0x", status=1)
    assert b"follow the archive" in result.stderr
