#!/usr/bin/env python3
"""Damages archives in many ways and checks that smll refuses every one of them.

Refused means: exit status 1 (3 where the damage hit the model's fingerprint and went unnoticed), a message, no output
file, in time. Usage:

    tests/damage.py --model build/test_model.gguf --count 10000
"""

import argparse
import json
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def make_archives(smll, model):
    from conftest import lines, noise

    texts = [
        (["-1"], lines(5000)),
        (["-2"], lines(3000)),
        (["-1", "--frame-size", "1000"], lines(9000)),
        (["-1", "--frame-size", "2000"], lines(3000) + noise(3000)),
        (["--experts", "llm", "--model", model], lines(700)),
        (["--experts", "llm", "--model", model, "--lanes", "3", "--frame-size", "500"], lines(1200)),
        (["--experts", "all", "--model", model, "--frame-size", "500"], lines(1500)),
        (["-1"], b""),
    ]
    return [
        subprocess.run([smll, *options], input=data, capture_output=True, check=True).stdout
        for options, data in texts
    ]


def flip(rng, archive, others):
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        archive[rng.randrange(len(archive))] ^= 1 << rng.randrange(8)


def cut(rng, archive, others):
    del archive[rng.randrange(len(archive)) :]


def insert(rng, archive, others):
    at = rng.randrange(len(archive) + 1)
    archive[at:at] = rng.randbytes(rng.choice([1, 2, 30]))


def delete(rng, archive, others):
    at = rng.randrange(len(archive))
    del archive[at : at + rng.choice([1, 2, 30])]


def overwrite(rng, archive, others):
    at = rng.randrange(len(archive))
    for i in range(at, min(len(archive), at + rng.choice([1, 4, 16]))):
        archive[i] = rng.choice([0, 0x7F, 0xFF, rng.randrange(256)])


def lie(rng, archive, others):
    """Lengths live in the first bytes of a record."""
    at = rng.randrange(min(len(archive), 24))
    archive[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])


def splice(rng, archive, others):
    other = rng.choice(others)
    at = rng.randrange(len(archive))
    start = rng.randrange(len(other))
    archive[at : at + rng.randrange(64)] = other[start : start + rng.randrange(64)]


def swap(rng, archive, others):
    size = rng.randrange(1, max(2, len(archive) // 3))
    a, b = rng.randrange(len(archive)), rng.randrange(len(archive))
    archive[a : a + size], archive[b : b + size] = archive[b : b + size], archive[a : a + size]


def shuffle_frames(rng, archive, others):
    """Whole frames, each sound in itself, in another order, twice, left out or from another archive."""
    donor = rng.choice([rng.choice(others), bytes(archive)])
    # In front of the first, a whole archive would only be joined.
    own = FRAMES[bytes(archive)][1:]
    if not own:
        return cut(rng, archive, others)
    start, end = rng.choice(own)
    other_start, other_end = rng.choice(FRAMES[donor])
    put_in = rng.choice([donor[other_start:other_end], b""])
    archive[start : rng.choice([start, end])] = put_in


# Where each archive's frames start and end.
FRAMES = {}


def find_frames(smll, archive):
    """From the listing of an archive."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(archive)
        file.flush()
        text = subprocess.run([smll, "-lv", file.name], capture_output=True, check=True, text=True).stdout
    found = re.findall(r"frame \d+ +at byte (\d+) +(\d+) of bytes", text)
    FRAMES[archive] = [(int(start), int(start) + int(size)) for start, size in found]


MUTATIONS = [flip, cut, insert, delete, overwrite, lie, splice, swap, shuffle_frames]


SLOWEST = [0.0]


def check(smll, model, damaged, out, limit_s):
    """Says what is wrong with the way smll took a damaged archive, or None."""
    start = time.monotonic()
    try:
        result = subprocess.run(
            [smll, "-d", "-f", "-o", out, "--model", model, "-T", "1"],
            input=damaged, capture_output=True, timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return "took too long"
    seconds = time.monotonic() - start
    SLOWEST[0] = max(SLOWEST[0], seconds)
    if result.returncode not in (1, 3):
        return f"exit status {result.returncode}: {result.stderr[-300:]!r}"
    if not result.stderr.startswith(b"smll: "):
        return "no message"
    if os.path.exists(out):
        return "an output file"
    return None if seconds < limit_s else "took too long"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/smll")
    parser.add_argument("--model", default="build/test_model.gguf")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=10, help="seconds for one archive")
    parser.add_argument("--report", help="write counts as JSON here")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    archives = make_archives(arguments.binary, arguments.model)
    for archive in archives:
        find_frames(arguments.binary, archive)
    accepted, tried = 0, 0
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "out")
        while tried < arguments.count:
            original = rng.choice(archives)
            damaged = bytearray(original)
            mutation = rng.choice(MUTATIONS)
            mutation(rng, damaged, archives)
            damaged = bytes(damaged)
            # A cut between concatenated or behind an empty one, or a swap of equals, may leave a whole archive.
            # So may zeros behind one.
            if any(damaged.startswith(whole) and not damaged[len(whole) :].strip(b"\0") for whole in archives):
                continue
            tried += 1
            wrong = check(arguments.binary, arguments.model, damaged, out, arguments.limit)
            if wrong:
                accepted += 1
                kept = f"damaged-{arguments.seed}-{tried}.smll"
                pathlib.Path(kept).write_bytes(damaged)
                print(f"{mutation.__name__}: {wrong}; kept as {kept}", file=sys.stderr)
                if os.path.exists(out):
                    os.unlink(out)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{tried} damaged archives, {accepted} not refused, peak memory {peak} MiB, "
          f"slowest {SLOWEST[0]:.2f} s")
    if arguments.report:
        pathlib.Path(arguments.report).write_text(
            json.dumps({"tried": tried, "accepted": accepted, "peak_mib": peak, "slowest_s": SLOWEST[0]})
        )
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
