"""With Clang, or without full optimization, the AMX kernels' object defined a member of std::vector, compiled for AVX-512.
The linker may have kept that one for the whole program, which then ended on processors without AVX-512.
"""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "src/lm/exact/cpu"
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mavx2", "-mfma", "-mf16c"]
FLAGS = {"avx2": ["-mavx2", "-mfma", "-mf16c"], "avx512": AVX512, "amx": [*AVX512, "-mamx-tile", "-mamx-int8"]}


def compiled(compiler, source, output, flags):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not here")
    machine = subprocess.run([compiler, "-dumpmachine"], capture_output=True, text=True).stdout
    if not machine.startswith("x86_64"):
        pytest.skip("these kernels are for x86-64")
    command = [compiler, "-std=c++20", "-O0", "-fPIC", "-ffp-contract=off", f"-I{ROOT}/src", f"-I{ROOT}/include", *flags]
    subprocess.run([*command, "-c", source, "-o", output], check=True)
    return subprocess.run([ROOT / "scripts/check_kernels", output], capture_output=True, text=True)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("kernels", FLAGS)
def test_unoptimized(tmp_path, compiler, kernels):
    result = compiled(compiler, KERNELS / f"{kernels}.cc", tmp_path / f"{kernels}.cc.o", FLAGS[kernels])
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_sanitized(tmp_path, compiler):
    flags = [*FLAGS["avx2"], "-O1", "-fsanitize=address,undefined"]  # which compilers set up before main()
    result = compiled(compiler, KERNELS / "avx2.cc", tmp_path / "avx2.cc.o", flags)
    assert result.returncode == 0, result.stderr


def found_in(tmp_path, code):
    source = tmp_path / "avx2.cc"
    source.write_text(code)
    result = compiled("g++", source, tmp_path / "avx2.cc.o", FLAGS["avx2"])
    assert result.returncode == 1
    return result.stderr


def test_what_leaks_is_found(tmp_path):
    found = found_in(tmp_path, """#include <vector>
        namespace smll::exact {
        static int use() { static std::vector<int> v; v.resize(9); return v[3]; }
        int (*kernels)() = use;
        int** avx2_kernels() { return reinterpret_cast<int**>(&kernels); }
        }""")  # fmt: skip
    assert "std::vector" in found and "avx2_kernels" not in found


def test_a_table_made_when_it_is_asked_for_is_found(tmp_path):
    found = found_in(tmp_path, """namespace smll::exact {
        struct Table { long of[8]; };
        long made();
        Table* avx2_kernels() { static Table table = [] { Table t; for (long& x : t.of) x = made(); return t; }(); return &table; }
        }""")  # fmt: skip
    assert "runs code to give its table" in found


def test_code_before_main_is_found(tmp_path):
    found = found_in(tmp_path, """namespace smll::exact {
        long made();
        static long table = made();
        long* avx2_kernels() { return &table; }
        }""")  # fmt: skip
    assert "runs before main()" in found
