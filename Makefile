# make          build build/smll and the Python module
# make demo     set up everything, compress and restore real text with the real model
# make test     set up everything and run all tests
# make asan     run the unit tests under ASan and UBSan
# make test-isa the golden archives with AVX-512 and AArch64 emulated where this machine has neither
# make fuzz     run the fuzz targets, each for FUZZ_SECONDS (60)
# make bench    compare with other compressors: docs/results.md, its plots and README's tables
# make bench-engine the exact engine's speed by batch and instruction set, and where its time goes
# make bench-llama  compare speed with llama.cpp's own benchmark
# make wheel    build sdist and wheel into dist/ and try the wheel in a fresh environment
# make lint     check formatting and run clang-tidy
# make install  install the program, its manual and completions (PREFIX=/usr/local)
PREFIX ?= /usr/local
PYTHON := .venv/bin/python

.PHONY: all setup build model default-model demo test unit e2e asan test-isa fuzz bench bench-engine bench-llama wheel lint format install clean

all: build

setup:
	@scripts/setup

build: setup
	@cmake --preset release -Dpybind11_DIR="$$($(PYTHON) -m pybind11 --cmakedir)" -DPython_EXECUTABLE="$(CURDIR)/$(PYTHON)" >build.log 2>&1 || { cat build.log; exit 1; }
	@cmake --build --preset release
	@rm -f build.log

# The default one, which tests mean whatever the environment says.
default-model: build
	@PATH="$(CURDIR)/.venv/bin:$$PATH" env -u SMLL_MODEL build/smll models pull

model: build
	@PATH="$(CURDIR)/.venv/bin:$$PATH" build/smll models pull

demo: model
	@$(PYTHON) scripts/demo

build/test_model.gguf: scripts/make_test_model.py | setup
	@mkdir -p build
	$(PYTHON) $< $@

test: unit e2e

unit: build build/test_model.gguf
	@cd build && ctest --output-on-failure --no-tests=error -j 2

e2e: build build/test_model.gguf default-model
	@PYTHONPATH=build/python SMLL_TEST_MODEL=$(CURDIR)/build/test_model.gguf $(PYTHON) -m pytest -q -rs tests

test-isa: build/test_model.gguf
	@scripts/test_avx512
	@scripts/test_arm64

asan: setup
	@cmake --preset asan >/dev/null && cmake --build --preset asan
	@cd build-asan && ctest --output-on-failure --no-tests=error

fuzz: setup
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz
	@scripts/fuzz build-fuzz

bench: model
	@$(PYTHON) scripts/bench --ablate $(BENCH_OPTIONS)

bench-engine: model
	@cmake --preset bench >/dev/null && cmake --build --preset bench --target engine_bench
	@build-bench/bench/engine_bench "$$(build/smll models pull)" $(BENCH_OPTIONS)

bench-llama:
	@scripts/setup --llama-bench
	@$(MAKE) --no-print-directory model
	@$(PYTHON) scripts/bench_llama

wheel: setup build/test_model.gguf
	@scripts/wheel

lint: build
	@scripts/lint

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

install: build
	cmake --install build --prefix "$(PREFIX)"

clean:
	rm -rf build build-*
