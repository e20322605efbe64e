"""Builds libraries that stand between the program and the C library, for what cannot be brought about otherwise."""

import os
import shutil
import subprocess

import pytest

# Fails from the (THREADS_LEFT + 1)-th thread on.
FEW_THREADS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  static atomic_int started;
  if (started++ >= atoi(getenv("THREADS_LEFT"))) return EAGAIN;
  typedef int Create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  return ((Create*)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, run, argument);
}
"""


def preload(directory, source):
    """The environment that loads `source` (C) into a program first. Skips where that cannot work: with another build
    of the program, which may be an emulated or a sanitized one."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or "SMLL_BIN" in os.environ:
        pytest.skip("needs a C compiler and the program of this build")
    code, library = directory / "preload.c", directory / "preload.so"
    code.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, code, "-ldl", "-pthread"], check=True)
    return {"LD_PRELOAD": str(library)}
