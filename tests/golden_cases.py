"""What the golden archives hold, and what opens them: for whoever decodes all of them."""

import dataclasses
import pathlib

from conftest import FAMILIES

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
SMALL, REAL = "test_model.gguf", "real model"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    text: bytes
    model: str | None = None  # a file's name beside the small model, or REAL
    window: int = 2048  # of what does not name it: texts in memory
    learns: bool = False
    dictionary: bytes | None = None

    @property
    def path(self) -> pathlib.Path:
        return GOLDEN / f"{self.name}.smll"


def cases() -> list[Case]:
    mixed, numbers = (GOLDEN / "mixed.txt").read_bytes(), (GOLDEN / "numbers.txt").read_bytes()
    sample, begin = mixed[-6000:], mixed[:1000]
    short = mixed[:200]
    line = short.replace(b"\n", b" ")
    return [  # those that take longest first
        Case("real", (GOLDEN / "real.txt").read_bytes(), REAL),
        Case("learn", mixed, SMALL),
        Case("cm-fast", mixed),
        Case("cm", numbers),
        Case("cm-english", mixed),
        Case("frames", mixed),
        Case("llm", mixed, SMALL),
        Case("lanes", mixed, SMALL),
        Case("mixed", begin, SMALL),
        Case("mixed-learn", begin, SMALL),
        Case("compact-llm", begin, SMALL, window=64),
        Case("compact-mixed", begin, SMALL, window=64),
        Case("compact-learn", begin, SMALL, window=64, learns=True),
        *(Case(f"families/{family}", begin, f"families/{family}.gguf") for family in FAMILIES),
        Case("short", short, SMALL, window=128),
        Case("short-opening", line, SMALL, window=128),
        Case("short-dictionary", line, SMALL, window=128, dictionary=sample),
        Case("dictionary-llm", mixed[:600], SMALL, dictionary=sample),
        Case("dictionary-mixed", mixed[:600], SMALL, dictionary=sample),
        Case("dictionary-learn", mixed[:600], SMALL, dictionary=sample),
    ]
