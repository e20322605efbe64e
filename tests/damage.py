#!/usr/bin/env python3
"""Damages archives in many ways and checks that smll refuses them and never restores another text.

Refused means: exit status 1 (3 where the damage hit the model's fingerprint and went unnoticed), a message, no output
file, and not many times the processor time of the whole archives. A header's check is one byte, so that of 256 damages
of a header one passes it: where it hit what no text depends on, such as the model's name, the whole text comes back.
That is counted, may be one in a thousand, and is no fault. Usage:

    tests/damage.py --binary build-asan/smll --model build/test_model.gguf --count 10000 --threads 2 --jobs 2
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def make_archives(smll, model):
    """Each archive with its text."""
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
    return {
        subprocess.run([smll, *options], input=data, capture_output=True, check=True).stdout: data
        for options, data in texts
    }


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


# So many times the processor time of the slowest whole archive: what is damaged is not to cost more than what is not,
# but the machine may have other work, and sanitizers' reports take time.
TIMES_SLOWER = 10
# Only ends what would never end; no criterion.
HANG_S = 900
# A report of theirs is not to look like smll's own status 1, and too much memory is refused as without them.
SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=99:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "exitcode=99:print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=99",
}


class Damage:
    """One run of smll on an archive that may be damaged."""

    def __init__(self, arguments, archive):
        with (
            tempfile.TemporaryDirectory() as directory,
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as messages,
        ):
            out = os.path.join(directory, "out")
            given.write(archive)
            given.seek(0)
            process = subprocess.Popen(
                [arguments.binary, "-d", "-o", out, "--model", arguments.model, "-T", str(arguments.threads)],
                stdin=given, stdout=subprocess.DEVNULL, stderr=messages, env={**SANITIZERS, **os.environ},
            )
            guard = threading.Timer(HANG_S, process.kill)
            guard.start()
            _, status, usage = os.wait4(process.pid, 0)
            guard.cancel()
            process.returncode = self.status = os.waitstatus_to_exitcode(status)
            messages.seek(0)
            self.message = messages.read()
            self.output = pathlib.Path(out).read_bytes() if os.path.exists(out) else None
        self.seconds = usage.ru_utime + usage.ru_stime
        self.peak_mib = usage.ru_maxrss // 1024

    def restored(self, text):
        return self.status == 0 and self.output == text

    def fault(self, slowest_s):
        """What is wrong with the way smll refused a damaged archive, or None."""
        if self.status not in (1, 3):
            return f"exit status {self.status}: {self.message[-3000:].decode(errors='replace')}"
        if not self.message.startswith(b"smll: "):
            return "no message"
        if self.output is not None:
            return "an output file"
        return "took too long" if self.seconds > TIMES_SLOWER * slowest_s else None


def damaged_archives(rng, archives, count):
    """The names of mutations with what they made and the text of what they damaged."""
    archives, texts = list(archives), archives
    while count > 0:
        whole = rng.choice(archives)
        damaged = bytearray(whole)
        mutation = rng.choice(MUTATIONS)
        mutation(rng, damaged, archives)
        # A cut between concatenated or behind an empty one, or a swap of equals, may leave a whole archive; so may
        # zeros behind one.
        if not any(damaged.startswith(whole) and not damaged[len(whole):].strip(b"\0") for whole in archives):
            count -= 1
            yield mutation.__name__, bytes(damaged), texts[whole]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="build/smll")
    parser.add_argument("--model", default="build/test_model.gguf")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of smll")
    parser.add_argument("--jobs", type=int, default=1, help="archives tried at the same time")
    parser.add_argument("--report", help="write counts as JSON here")
    arguments = parser.parse_args()
    archives = make_archives(arguments.binary, arguments.model)
    slowest_s = 0.0
    for archive in archives:
        find_frames(arguments.binary, archive)
        whole = Damage(arguments, archive)
        assert whole.status == 0, whole.message
        slowest_s = max(slowest_s, whole.seconds)
    tried, restored, accepted, peak_mib, slowest_damaged_s = 0, 0, 0, 0, 0.0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        cases = list(damaged_archives(random.Random(arguments.seed), archives, arguments.count))
        runs = pool.map(lambda case: Damage(arguments, case[1]), cases)
        for (name, damaged, text), run in zip(cases, runs):
            tried += 1
            peak_mib = max(peak_mib, run.peak_mib)
            slowest_damaged_s = max(slowest_damaged_s, run.seconds)
            if run.restored(text):
                restored += 1
            elif fault := run.fault(slowest_s):
                accepted += 1
                kept = f"damaged-{arguments.seed}-{tried}.smll"
                pathlib.Path(kept).write_bytes(damaged)
                print(f"{name}: {fault}; kept as {kept}", file=sys.stderr)
            if tried % 1000 == 0:
                print(f"damage: {tried} tried, {accepted} not refused", flush=True)
    print(f"{tried} damaged archives, {accepted} not refused, {restored} with their text restored, peak memory "
          f"{peak_mib} MiB, slowest {slowest_damaged_s:.2f} s of processor time, {slowest_s:.2f} s where nothing is damaged")
    if arguments.report:
        pathlib.Path(arguments.report).write_text(json.dumps({"tried": tried, "accepted": accepted}))
    return 1 if accepted or restored > 1 + arguments.count / 1000 else 0


if __name__ == "__main__":
    sys.exit(main())
