"""Embeddings were read from the mapped model file while text was coded: copying another model over the file gave an
archive that no model opens, and cutting it off ended the process with SIGBUS. Weights, vocabulary and fingerprint were
read one after the other, so that a file put in its place in between gave a mixture of two models.
"""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import lines
from preload import preload

TEXT = lines(1000)

USE_AND_DAMAGE = """
import pathlib, sys
from conftest import lines
import smll
model, other, damage, backend, archive = sys.argv[1:]
compressor = smll.Compressor(model, threads=1, experts="llm", backend=backend)
compressor.compress(b"the model is loaded")
if damage == "overwrite":
    with open(model, "r+b") as file:
        file.write(pathlib.Path(other).read_bytes())
else:
    open(model, "wb").close()
pathlib.Path(archive).write_bytes(compressor.compress(lines(1000)))
"""


@pytest.mark.parametrize("backend", ["exact", "llama"])
@pytest.mark.parametrize("damage", ["overwrite", "truncate"])
def test_after_loading(test_model, other_model, cache, tmp_path, damage, backend):
    model = tmp_path / "model.gguf"
    shutil.copy(test_model, model)
    archive = tmp_path / "archive.smll"
    arguments = [str(model), other_model, damage, backend, str(archive)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", USE_AND_DAMAGE, *arguments], check=True, env=environment)
    smll = pytest.importorskip("smll")
    reader = smll.Compressor(test_model, threads=1, backend=backend)
    assert reader.decompress_bytes(archive.read_bytes()) == TEXT


# Puts another file in the model's place when it is opened for the n-th time.
SWAP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void opened(const char* path) {
  static int count;
  if (strcmp(path, getenv("SWAP_PATH")) == 0 && ++count == atoi(getenv("SWAP_AT"))) {
    rename(getenv("SWAP_WITH"), path);
  }
}

#define FOPEN(name)                                                        \\
  FILE* name(const char* path, const char* mode) {                         \\
    opened(path);                                                          \\
    return ((FILE * (*)(const char*, const char*)) dlsym(RTLD_NEXT, #name))(path, mode); \\
  }
FOPEN(fopen)
FOPEN(fopen64)

#define OPEN(name)                                                         \\
  int name(const char* path, int flags, ...) {                             \\
    va_list rest;                                                          \\
    va_start(rest, flags);                                                 \\
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;              \\
    va_end(rest);                                                          \\
    opened(path);                                                          \\
    return ((int (*)(const char*, int, mode_t)) dlsym(RTLD_NEXT, #name))(path, flags, mode); \\
  }
OPEN(open)
OPEN(open64)
"""


@pytest.mark.parametrize("backend", ["exact", "llama"])
def test_replaced_while_loading(smll, test_model, other_model, tmp_path, backend):
    environment = preload(tmp_path, SWAP)
    options = ["-T1", "-c", "--experts", "llm", "--backend", backend]
    refused = 0
    for at in range(1, 20):
        model, other = tmp_path / "model.gguf", tmp_path / "other.gguf"
        shutil.copy(test_model, model)
        shutil.copy(other_model, other)
        swap = {"SWAP_PATH": str(model), "SWAP_WITH": str(other), "SWAP_AT": str(at)}
        packed = smll(*options, "--model", model, input=TEXT, status=None, env={**environment, **swap})
        if other.exists():  # it is not opened so often
            assert packed.returncode == 0
            break
        if packed.returncode == 0:
            # All of what was used came from one of the two.
            assert smll("-dc", "-T1", "--model", model, input=packed.stdout).stdout == TEXT
        else:
            assert packed.returncode == 3, packed.stderr
            assert b"changed while it was read" in packed.stderr
            assert packed.stdout == b""
            refused += 1
    assert refused > 0
