#!/usr/bin/env python3
"""Writes a tiny llama-architecture GGUF model with random weights, for tests that need no real one.

Usage: make_test_model.py OUTPUT.gguf [--seed N] [--family NAME [--type TYPE]]

--family: a model of that family with all that it can have switched on, instead (model_families.py).

Everything follows from the seed, on any machine: weights are uniform, because NumPy's RandomState keeps that stream
for ever and no function of a mathematics library stands in it. The vocabulary is a byte-level BPE with some merges of English; eleven byte
values that never stand in UTF-8 are left out on purpose, so that tests meet bytes that no token spells. Tensors have
different types, so that every decoder of the engine runs.
"""

import argparse

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, KV_HEADS, FEED_FORWARD, CONTEXT = 2, 128, 4, 2, 256, 512
WORDS = "the and of to in is that was it for on with as his he be at by had not are but from or have an".split()
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
UNSPELLED = [0xC0, 0xC1, *range(0xF5, 0xFE)]


def byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for each byte value (Radford et al., 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {b: chr(b) for b in printable}
    spare = 256
    for byte in range(256):
        if byte not in alphabet:
            alphabet[byte] = chr(spare)
            spare += 1
    return alphabet


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and the merges that make the longer ones."""
    alphabet = byte_alphabet()
    tokens = CONTROL + [alphabet[b] for b in range(256) if b not in UNSPELLED]
    known, merges = set(tokens), []
    spellings = [word.encode() for word in WORDS] + [b" " + word.encode() for word in WORDS]
    spellings += [b"  ", b"    ", b"        ", b"\n\n"]
    for spelling in spellings:
        parts = [alphabet[b] for b in spelling]
        while len(parts) > 1:
            pair = f"{parts[0]} {parts[1]}"
            joined = parts[0] + parts[1]
            if joined not in known:
                known.add(joined)
                tokens.append(joined)
            if pair not in merges:
                merges.append(pair)
            parts[:2] = [joined]
    return tokens, merges


def add_tensor(writer: gguf.GGUFWriter, name: str, data: np.ndarray, kind: str) -> None:
    quantization = gguf.GGMLQuantizationType[kind]
    if kind == "F32":
        writer.add_tensor(name, data.astype(np.float32))
    else:
        packed = gguf.quants.quantize(data.astype(np.float32), quantization)
        writer.add_tensor(name, packed, raw_dtype=quantization)


def write_weights(writer: gguf.GGUFWriter, tokens: int, random: np.random.RandomState) -> None:
    def uniform(*shape: int) -> np.ndarray:
        """Of variance 1."""
        return (random.random_sample(shape) * 2 - 1) * np.sqrt(3)

    def matrix(name: str, rows: int, columns: int, kind: str, gain: float = 1.0) -> None:
        scale = gain / np.sqrt(columns)
        add_tensor(writer, name, uniform(rows, columns) * scale, kind)

    head = WIDTH // HEADS
    matrix("token_embd.weight", tokens, WIDTH, "Q8_0")
    add_tensor(writer, "output_norm.weight", np.ones(WIDTH), "F32")
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        add_tensor(writer, block + "attn_norm.weight", 1 + 0.1 * uniform(WIDTH), "F32")
        add_tensor(writer, block + "ffn_norm.weight", 1 + 0.1 * uniform(WIDTH), "F32")
        matrix(block + "attn_q.weight", HEADS * head, WIDTH, "Q4_1", 2.0)
        matrix(block + "attn_k.weight", KV_HEADS * head, WIDTH, "Q4_0", 2.0)
        matrix(block + "attn_v.weight", KV_HEADS * head, WIDTH, "Q5_0")
        matrix(block + "attn_output.weight", WIDTH, HEADS * head, "F16")
        matrix(block + "ffn_gate.weight", FEED_FORWARD, WIDTH, "Q5_1")
        matrix(block + "ffn_up.weight", FEED_FORWARD, WIDTH, "BF16")
        matrix(block + "ffn_down.weight", WIDTH, FEED_FORWARD, "Q8_0" if layer else "F32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", help="llama, qwen2, qwen3, gemma3, granite or smollm3")
    parser.add_argument("--type", default="F32", type=str.upper, help="of a family's matrices, such as Q8_0 (F32)")
    arguments = parser.parse_args()
    if arguments.family:
        import model_families

        model_families.Writer(arguments.output, arguments.family, arguments.type, arguments.seed).write()
        return

    tokens, merges = vocabulary()
    writer = gguf.GGUFWriter(arguments.output, "llama")
    writer.add_name(f"smll test model {arguments.seed}")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.NORMAL] * (len(tokens) - len(CONTROL))
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    write_weights(writer, len(tokens), np.random.RandomState(arguments.seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
