"""What the golden archives hold, and what opens them: for whoever decodes all of them."""

import dataclasses
import pathlib

from conftest import FAMILIES

TEXTS = pathlib.Path(__file__).resolve().parent / "golden"
SMALL, REAL = "test_model.gguf", "real model"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str  # of the file in tests/golden, with the version of the format that wrote it
    text: bytes
    model: str | None = None  # a file's name beside the small model, or REAL
    window: int = 2048  # of what does not name it: texts in memory
    learns: bool = False
    dictionary: bytes | None = None

    @property
    def path(self) -> pathlib.Path:
        return TEXTS / f"{self.name}.smll"


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A row of v1/errors/table.tsv: what smll says of an archive that it refuses, from the table's directory."""

    archive: str
    options: tuple[str, ...]  # beside -dc; {MODEL} stands for the small model's file
    status: int
    message: str  # behind "smll: "
    in_memory: str | None  # of the same bytes in memory, with a window of 128; None where there is no such call

    @property
    def name(self) -> str:
        return " ".join(["v1/errors/" + self.archive, *(option for option in self.options if option not in ("--model", "{MODEL}"))])

    @property
    def path(self) -> pathlib.Path:
        return ERRORS / self.archive

    @property
    def has_model(self) -> bool:
        return "{MODEL}" in self.options

    @property
    def dictionary(self) -> str | None:
        return self.options[self.options.index("-D") + 1] if "-D" in self.options else None


ERRORS = TEXTS / "v1" / "errors"
WINDOW_IN_MEMORY = 128


def refusals() -> list[Refusal]:
    rows = [line.split("\t") for line in (ERRORS / "table.tsv").read_text("utf-8").splitlines()[1:]]
    return [
        Refusal(archive, tuple(options.split()), int(status), message, None if in_memory == "-" else in_memory or message.removeprefix(archive + ": "))
        for archive, options, status, message, in_memory in rows
    ]


def cases() -> list[Case]:
    mixed, numbers = (TEXTS / "mixed.txt").read_bytes(), (TEXTS / "numbers.txt").read_bytes()
    real = (TEXTS / "real.txt").read_bytes()
    sample, begin = mixed[-6000:], mixed[:1000]
    short = mixed[:200]
    line = short.replace(b"\n", b" ")
    return [  # those that take longest first
        Case("v1/real", real, REAL),
        Case("v1/learn", mixed, SMALL),
        Case("v1/frames", mixed),
        Case("v1/cm-english", mixed),
        Case("v1/concatenated", numbers + mixed, SMALL),
        Case("v1/llm", mixed, SMALL),
        Case("v1/lanes", mixed, SMALL),
        Case("v1/cm-fast", mixed),
        Case("v1/cm", numbers),
        Case("v1/stored", (TEXTS / "random.bin").read_bytes()),
        Case("v1/zstd", numbers),
        Case("v1/empty", b""),
        Case("v1/mixed", begin, SMALL),
        Case("v1/mixed-learn", begin, SMALL),
        Case("v1/escapes", begin + bytes(range(256)), SMALL),
        Case("v1/compact", numbers[:500]),
        *(Case(f"v1/families/{family}", begin, f"families/{family}.gguf") for family in FAMILIES),
        *(Case(f"v1/families/{family}-learn", begin[:500], f"families/{family}.gguf") for family in FAMILIES),
        Case("v1/short", short, SMALL, window=128),
        Case("v1/short-opening", line, SMALL, window=128),
        Case("v1/short-dictionary", line, SMALL, window=128, dictionary=sample),
        *dictionaries("v1", mixed[:600], sample),
        # What versions before 1.0 wrote, as far as it is read.
        Case("v0/lanes", mixed, SMALL),
        Case("v0/mixed", begin, SMALL),
        Case("v0/mixed-learn", begin, SMALL),
        Case("v0/families/gemma3", begin, "families/gemma3.gguf"),
        *dictionaries("v0", mixed[:600], sample),
    ]


def dictionaries(version: str, text: bytes, sample: bytes) -> list[Case]:
    return [Case(f"{version}/dictionary-{kind}", text, SMALL, dictionary=sample) for kind in ("llm", "mixed", "learn")]
