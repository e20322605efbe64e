#!/usr/bin/env python3
"""Writes the smallest model that the engine takes, which is mostly headers: what the fuzzer of the loader starts from.

Usage: make_tiny_model.py OUTPUT.gguf
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

import make_test_model as model

model.LAYERS, model.WIDTH, model.HEADS, model.KV_HEADS, model.FEED_FORWARD, model.CONTEXT = 1, 32, 1, 1, 32, 64

if __name__ == "__main__":
    model.main()
