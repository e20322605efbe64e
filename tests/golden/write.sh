#!/usr/bin/env bash
# Writes the golden archives anew. For a change of the format or of the arithmetic, which needs a new version number
# (docs/format.md, docs/exactness.md), or of the encoder's choices (such as tokens), when the old archives still open:
# those that people have must stay readable.
set -euo pipefail
cd "$(dirname "$0")"
smll=../../build/smll
small=../../build/test_model.gguf
for file in llm:"--experts llm --window 64 --model $small" lanes:"--experts llm --window 64 --lanes 3 --model $small" \
            learn:"--experts llm --window 128 --learn --model $small" cm-english:"--experts cm" cm-fast:"--experts cm-fast" \
            frames:"--experts cm --frame-size 1000"; do
  # shellcheck disable=SC2086  # several options
  $smll -q -f ${file#*:} -o "${file%%:*}.smll" mixed.txt
done
$smll -q -f --experts cm -o cm.smll numbers.txt
$smll -q -f -o real.smll real.txt
# What the program never chooses with the small model, by the unit test that reads it.
(cd ../../build && SMLL_WRITE_GOLDEN=1 SMLL_TEST_MODEL=test_model.gguf ./smll_tests --gtest_brief=1 --gtest_filter='*Golden*')
