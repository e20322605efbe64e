"""What a user's script looks like to mypy --strict; test_python_types.py checks it and does not run it."""

import io
from typing import List

import smll


def shrink(texts: List[str]) -> List[bytes]:
    with smll.Compressor("model.gguf", level=7) as compressor:
        packed = [compressor.compress(text) for text in texts]
        restored: str = compressor.decompress(packed[0])
        raw: bytes = compressor.decompress_bytes(packed[0], max_bytes=100)
        print(restored, raw, compressor.model_path)
        return packed


def costs(text: str) -> float:
    with smll.Compressor.from_pretrained("owner/name", "*Q4_0.gguf", experts="llm") as compressor:
        return sum(cost.bits for cost in compressor.explain(text) if cost.rank > 1)


def files(path: str) -> int:
    with smll.open(path, "wb") as binary:
        binary.write(b"abc")
    text: io.TextIOWrapper = smll.open(path, "rt", encoding="utf-8")
    try:
        return len(text.read())
    except smll.Error as error:
        kind: str = error.kind
        print(kind)
        return len(smll.decompress(smll.compress("x")))
