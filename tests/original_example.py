import smll

with smll.Compressor.from_pretrained(
    repo_id="QuantFactory/SmolLM2-360M-GGUF",
    filename="*Q4_0.gguf",
) as compressor:
    compressed = compressor.compress("Hello, world!")
    decompressed = compressor.decompress(compressed)
