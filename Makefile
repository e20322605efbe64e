# make          build build/smll and the Python module (LLAMA=1: with the llama.cpp backend, which takes minutes once;
#               UNITY=OFF: each source alone, which takes longer at first, and less after a change)
# make demo     set up everything, compress and restore real text with the real model
# make test     set up everything, llama.cpp too, which tests compare with, and run all tests
# make integrations  run what needs large packages (Ray, Spark, a server for S3), in an environment of its own, and slow runs of
#               smll corpus. Not a part of `make test`: it gets some 500 MB from PyPI, and Spark's tests need Java
# make reference restore all golden archives with the reference decoder, docs/spec as a program
# make asan     build the program and run the unit tests with Clang, ASan, UBSan and the standard library's assertions
# make tsan     run what uses threads under TSan
# make clang    build the program as a release, with Clang, and run the unit tests of what decides a bit and the golden archives
# make debug    build without optimization and run the unit tests, but for those that would take minutes then
# make test-isa the kernels' tests and the golden archives with AVX-512 and AArch64 emulated where this machine has neither
# make check-cuda check the machine code of libsmll_cuda, where CUDA's compiler is there to build it
# make damage   try DAMAGE_COUNT (10000) damaged archives with the program built for ASan and UBSan
# make fuzz     run the fuzz targets, each for FUZZ_SECONDS (60), in the build of make asan
# make bench    compare with other compressors: docs/results/README.md, its plots and README's tables
# make bench-engine the exact engine's speed by batch and instruction set, and where its time goes
# make bench-llama  compare speed with llama.cpp's own benchmark
# make wheel    build sdist and wheel into dist/ and try the wheel in a fresh environment
# make wheels   build and try a wheel for each CPython that is here, for other machines as well
# make lint     check formatting and types and run clang-tidy
# make install  install the program, its manual and completions, headers and libraries (PREFIX=/usr/local)
# make deb      build Debian packages into dist/, and install, use and remove them on a copy of this system
PREFIX ?= /usr/local
PYTHON := .venv/bin/python

TEST_MODEL := $(CURDIR)/build/test_model.gguf
# Beside it, one of each family of models.
FAMILIES := llama qwen2 qwen3 gemma3 granite smollm3
TEST_MODELS := build/test_model.gguf $(FAMILIES:%=build/families/%.gguf)
DAMAGE_COUNT ?= 10000
# What the preset of the target's name makes, and its unit tests.
BUILD_PRESET = cmake --preset $@ >/dev/null && cmake --build --preset $@
CTEST = cd build-$@ && SMLL_TEST_MODEL=$(TEST_MODEL) ctest --output-on-failure --no-tests=error -j 2

.PHONY: all setup build product everything model default-model demo test unit e2e integrations reference asan tsan clang debug test-isa test-avx512 test-arm64 check-cuda damage \
        fuzz bench bench-engine bench-llama wheel wheels lint format install deb clean

all: build

# What building needs; for those who change smll what tests, benchmarks and the linter need, too. Newcomers wait for less.
setup:
	@scripts/setup $(if $(DEVELOP),--develop) $(if $(LLAMA),--llama)

# With tests and llama.cpp once they were asked for, until make clean.
build: setup
	@cmake --preset release $(if $(UNITY),-DCMAKE_UNITY_BUILD=$(UNITY)) $(if $(LLAMA),-DSMLL_LLAMA=ON) $(if $(DEVELOP),-DSMLL_BUILD_TESTS=ON,$(if $(wildcard build/CMakeCache.txt),,-DSMLL_BUILD_TESTS=OFF)) -Dpybind11_DIR="$$($(PYTHON) -m pybind11 --cmakedir)" -DPython_EXECUTABLE="$(CURDIR)/$(PYTHON)" >build.log 2>&1 || { cat build.log; exit 1; }
	@cmake --build --preset release --target smll _smll python_package
	@rm -f build.log

# What is installed: the shared library, SQLite's extension and, where nvcc is, libsmll_cuda as well.
product: build
	@cmake --build --preset release --target product

# With the tests, too.
everything: build
	@cmake --build --preset release

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

build/families/%.gguf: scripts/make_test_model.py scripts/model_families.py | setup
	@mkdir -p build/families
	$(PYTHON) $< --family $* $@

# `make` and what users call do without.
$(TEST_MODELS) everything reference test-isa test-avx512 test-arm64 check-cuda asan clang debug tsan damage fuzz bench bench-engine bench-llama wheel wheels \
test unit e2e integrations lint: DEVELOP = 1

# They compare with llama.cpp, and the linter looks at all sources; the builds for sanitizers and other machines do without.
test unit e2e integrations lint: LLAMA = 1
test: unit e2e

unit: everything $(TEST_MODELS)
	@cd build && ctest --output-on-failure --no-tests=error -j 2

e2e: everything $(TEST_MODELS) default-model
	@PYTHONPATH=build/python SMLL_TEST_MODEL=$(CURDIR)/build/test_model.gguf $(PYTHON) -m pytest -q -rs -n auto --dist worksteal \
	  --ignore tests/integrations tests

integrations: everything $(TEST_MODELS)
	@scripts/integrations

reference: $(TEST_MODELS)
	@$(PYTHON) scripts/check_spec
	@$(PYTHON) scripts/check_reference

# Most of their time is tests in one thread, so they run beside each other.
test-isa: everything $(TEST_MODELS)
	@$(MAKE) --no-print-directory -j 2 --output-sync=target test-avx512 test-arm64

test-avx512: everything
test-avx512 test-arm64: $(TEST_MODELS)
	@scripts/$(subst -,_,$@)

check-cuda: everything
	@$(PYTHON) scripts/check_cuda_code

# Without tests of minutes, which run what the golden archives run here with every instruction set, too; and of the
# families llama and gemma3 only, which between them have all operations.
asan: $(TEST_MODELS)
	@$(BUILD_PRESET) --target smll smll_tests
	@$(CTEST) -E '^Exactness|Golden.*learn|FamilyEngines.*/(qwen|granite|smollm3)'

clang: $(TEST_MODELS)
	@$(BUILD_PRESET)
	@$(CTEST)
	@SMLL_BIN=$(CURDIR)/build-clang/smll SMLL_TEST_MODEL=$(TEST_MODEL) $(PYTHON) -m pytest -q -m "not real_model" tests/test_exact.py

# Every other build reads and writes the golden archives, which takes long where nothing is optimized.
debug: $(TEST_MODELS)
	@$(BUILD_PRESET) --target smll smll_tests
	@$(CTEST) -E '^Forms/Golden'

tsan: $(TEST_MODELS)
	@scripts/test_tsan

damage: build/test_model.gguf
	@cmake --preset asan >/dev/null && cmake --build --preset asan --target smll
	@$(PYTHON) tests/damage.py --binary build-asan/smll --model $(TEST_MODEL) --count $(DAMAGE_COUNT) --threads 2 --jobs 2

fuzz: setup
	@cmake --preset asan >/dev/null && cmake --build --preset asan --target fuzzers
	@scripts/fuzz

bench: model
	@$(PYTHON) scripts/bench --ablate $(BENCH_OPTIONS)

bench-engine: model
	@cmake --preset bench >/dev/null && cmake --build --preset bench --target engine_bench
	@build-bench/bench/engine_bench "$$(build/smll models pull)" $(BENCH_OPTIONS)

bench-llama: setup
	@scripts/setup --llama-bench
	@$(MAKE) --no-print-directory model
	@$(PYTHON) scripts/bench_llama

wheel: setup build/test_model.gguf
	@scripts/wheel

wheels: setup build/test_model.gguf
	@scripts/wheels

lint: build
	@scripts/lint

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

install: product
	cmake --install build --prefix "$(PREFIX)"

deb: product
	@scripts/deb
	@scripts/try_deb

clean:
	rm -rf build build-*
