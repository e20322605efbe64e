"""What a user's script looks like to mypy --strict; test_python_types.py checks it and does not run it."""

import io
from typing import Iterator, List, Optional, Union

import smll


def shrink(texts: List[str]) -> List[bytes]:
    with smll.Compressor("model.gguf", level=7) as compressor:
        packed = [compressor.compress(text) for text in texts]
        restored: str = compressor.decompress(packed[0])
        raw: bytes = compressor.decompress_bytes(packed[0], max_bytes=100)
        print(restored, raw, compressor.model_path)
        return packed


def many(texts: List[str]) -> Iterator[str]:
    def progress(items: int, size: int) -> None:
        print(items, size)

    with smll.Compressor("model.gguf") as compressor:
        packed: List[bytes] = compressor.compress_many(texts, progress=progress)
        or_errors: List[Union[bytes, smll.Error]] = compressor.compress_many(iter(texts), errors="return")
        good = [each for each in or_errors if isinstance(each, bytes)]
        print([each.kind + str(each.index) for each in or_errors if isinstance(each, smll.Error)])
        restored: List[str] = compressor.decompress_many(packed, max_bytes=100)
        raw: List[bytes] = compressor.decompress_many_bytes(good)
        for text in compressor.decompress_many(good, errors="return"):
            print(text.upper() if isinstance(text, str) else str(text))
        print(restored, raw, max(map(len, compressor.iter_decompress_bytes(packed))))
        compressed: Iterator[bytes] = compressor.iter_compress(text for text in texts)
        return compressor.iter_decompress(compressed)


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


def dictionary(texts: List[str]) -> float:
    made = smll.Dictionary.train(texts, name="notes", size=2000, minutes=0.5, progress=print)
    made.save("notes.smlld")
    kept: str = made.keep()
    gain: Optional[smll.TrainGain] = smll.Dictionary.load(kept).gain
    with smll.Compressor(dictionary=made) as compressor:
        print(compressor.compress("a note"), made.identity + made.opening_size, made.name)
    return gain.bytes_without / gain.bytes_with if gain else 0.0
