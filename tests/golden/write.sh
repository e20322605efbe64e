#!/usr/bin/env bash
# Writes the golden archives of format 1 (v1) that are not there yet, and adds their checksums. What is there stays: archives
# that people have must stay readable, and those here stand for them. v0 has archives of versions before 1.0, v1/errors what is refused.
set -euo pipefail
cd "$(dirname "$0")"
smll=../../build/smll
small=../../build/test_model.gguf

# write NAME TEXT OPTION...
write() {
  local name="v1/$1.smll" text="$2"
  shift 2
  [ -e "$name" ] || "$smll" -q "$@" -o "$name" "$text"
}

write llm mixed.txt --experts llm --window 64 --model "$small"
write lanes mixed.txt --experts llm --window 64 --lanes 3 --model "$small"
write learn mixed.txt --experts llm --window 128 --learn --model "$small"
write cm-english mixed.txt --experts cm
write cm-fast mixed.txt --experts cm-fast
write frames mixed.txt --experts cm --frame-size 1000
write cm numbers.txt --experts cm
write real real.txt
write stored random.bin
[ -e v1/empty.smll ] || "$smll" -q -c </dev/null >v1/empty.smll
# zstd.smll: the program takes zstd only where repeats lie farther apart than a frame, and what zstd writes depends on its version.
[ -e v1/concatenated.smll ] || cat v1/cm.smll v1/empty.smll v1/llm.smll >v1/concatenated.smll
# What the program never chooses with the small model, by the unit tests that read it.
(cd ../../build && SMLL_WRITE_GOLDEN=1 SMLL_TEST_MODEL=test_model.gguf ./smll_tests --gtest_brief=1 --gtest_filter='*Golden*')
../../.venv/bin/python write_errors.py

cd v1
sha256sum --quiet --check SHA256SUMS
for file in *.smll *.smlld families/*.smll errors/*.smll*; do
  grep -qF "  $file" SHA256SUMS || sha256sum "$file" >>SHA256SUMS
done
