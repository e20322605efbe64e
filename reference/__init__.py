"""The reference decoder: docs/spec as a program that a reader can follow.

It restores whatever smll writes with the exact backend or without a model, slowly, and shares no code with it: NumPy does the arithmetic,
xxhash and zstandard read the two formats that smll takes from others. `python -m reference FILE --model MODEL` writes the text.

container, compact: the forms.  coder: decisions from bytes.  payload: bytes from decisions.  mixing: context models.
gguf, weights, vocabulary, tokenizer, arithmetic, transformer, frequencies, learning: the language model.  dictionary: dictionaries and adapters.
"""
