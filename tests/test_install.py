"""What `make install` installs: complete, usable from CMake and pkg-config, and naming nothing internal."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, ROOT, lines

EXAMPLES = ROOT / "examples"
HEADERS = sorted(path.name for path in (ROOT / "include/smll").glob("*.h"))


def run(*command, **options):
    result = subprocess.run([*map(str, command)], capture_output=True, timeout=300, **options)
    assert result.returncode == 0, (command, result.stdout.decode(), result.stderr.decode())
    return result.stdout.decode()


def compiler(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here")
    return name


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """What is built, installed into a directory of its own."""
    path = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", path)
    return path


@pytest.fixture
def environment(prefix, test_model, cache):
    return {**os.environ, "SMLL_MODEL": test_model, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
            "LD_LIBRARY_PATH": str(prefix / "lib")}  # fmt: skip


def test_files(prefix):
    installed = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if not path.is_dir()}
    for name in ("smll", "unsmll", "smllcat"):
        assert {f"bin/{name}", f"share/man/man1/{name}.1", f"share/bash-completion/completions/{name}"} <= installed
    assert {f"include/smll/{name}" for name in HEADERS} == {name for name in installed if name.startswith("include/")}
    assert {"lib/libsmll.a", "lib/libsmll.so", "lib/pkgconfig/smll.pc", "lib/cmake/smll/smllConfig.cmake",
            "lib/cmake/smll/smllConfigVersion.cmake", "share/zsh/site-functions/_smll"} <= installed  # fmt: skip
    places = re.compile(re.escape(str(ROOT)).encode())
    for name in installed:
        if name.startswith(("lib/cmake/", "lib/pkgconfig/", "include/")):
            assert not places.search((prefix / name).read_bytes()), f"{name} names the checkout"


def test_one_version(prefix, environment):
    version = re.search(r"project\(smll VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    soname = "libsmll.so." + ".".join(version.split(".")[:2])
    assert f"[{soname}]" in run("readelf", "-d", prefix / "lib/libsmll.so")
    assert (prefix / "lib/libsmll.so").resolve().name == f"libsmll.so.{version}"
    assert run("pkg-config", "--modversion", "smll", env=environment).strip() == version
    assert version in run(prefix / "bin/smll", "--version")


def test_the_library_exports_what_the_headers_declare(prefix):
    symbols = run("nm", "-D", "--defined-only", "--demangle", prefix / "lib/libsmll.so").splitlines()
    names = [re.sub(r"^\S+ \S ((typeinfo|typeinfo name|vtable|guard variable) for )?", "", line) for line in symbols]
    assert any(name.startswith("smll::Compressor::compress(") for name in names)
    assert [name for name in names if not name.startswith("smll::")] == []
    assert [name for name in names if re.match(r"smll::[a-z_]+::", name)] == []  # an inner namespace


def test_each_header_stands_alone(prefix, tmp_path):
    sources = [tmp_path / f"{header}.cc" for header in HEADERS]
    for source in sources:
        source.write_text(f"#include <smll/{source.stem}>\n")
    run(compiler("g++"), "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{prefix}/include", *sources)


def includes(*patterns):
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            for line in path.read_text(encoding="utf-8").splitlines():
                if found := re.match(r'#include ([<"])(.*)[>"]', line):
                    yield path.relative_to(ROOT), found[1], found[2]


def test_what_stands_on_the_public_headers():
    """The program and the Python module take the way that other programs have, so that the interface has what they need."""
    rooms = {
        ("include/smll/*.h",): ("smll/",),
        # base/ is what any program may need, and knows nothing of archives and models.
        ("src/cli/*.h", "src/cli/*.cc"): ("cli/", "smll/", "base/"),
        ("python/*.h", "python/*.cc"): ("smll/", "calls.h", "objects.h", "dictionary.h"),
        ("src/base/*.h", "src/base/*.cc"): ("base/", "smll/"),
        ("examples/*.cc",): (),
    }
    for patterns, allowed in rooms.items():
        found = list(includes(*patterns))
        assert found
        wrong = [f"{path}: {name}" for path, quote, name in found if quote == '"' and not name.startswith(allowed)]
        assert wrong == []
    assert {name for _, quote, name in includes("include/smll/*.h") if quote == "<" and "/" in name} == set()


def check_examples(directory, work, environment, names):
    """Runs what was built in `directory` and reads what it says."""
    text = lines(3000)
    (work / "text").write_bytes(text)
    if "file" in names:
        said = run(directory / "file", "text", "archive", "restored", cwd=work, env=environment)
        assert re.match(r"3000 bytes became \d+\nframes: 1, .*\nrestored: 3000 bytes\n", said)
        assert (work / "restored").read_bytes() == text
    if "stream" in names:
        said = run("sh", "-c", f"head -n 3 text | {directory}/stream | {directory}/stream -d", cwd=work, env=environment)
        assert said == "".join(line + "\n" for line in text.decode().split("\n")[:3])
    if "many" in names:
        said = run("sh", "-c", f"head -n 20 text | {directory}/many", cwd=work, env=environment)
        assert re.match(r"20 texts: \d+ bytes became \d+\ntext 20: .*\n20 texts came back\n", said)
    if "dictionary" in names:
        record = text.decode().split("\n")[5]
        said = run(directory / "dictionary", "text", "lines.smlld", record, cwd=work, env=environment)
        assert "with the dictionary" in said and said.endswith(f"restored: {record}\n")


@pytest.mark.parametrize("static, name, examples", [(False, "g++", ["file", "many"]), (True, "clang++", ["stream", "dictionary"])])
def test_examples_with_cmake(prefix, environment, tmp_path, static, name, examples):
    run("cmake", "-S", EXAMPLES, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler(name)}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror",
        f"-DSMLL_USE_STATIC_LIBS={static}", env=environment)  # fmt: skip
    run("cmake", "--build", tmp_path / "build", "--target", *examples, env=environment)
    linked = run("readelf", "-d", tmp_path / "build" / examples[0])
    assert ("libsmll.so" in linked) == (not static)
    check_examples(tmp_path / "build", tmp_path, environment, examples)


@pytest.mark.parametrize("static, name", [(False, "clang++"), (True, "g++")])
def test_examples_with_pkg_config(prefix, environment, tmp_path, static, name):
    flags = run("pkg-config", *["--static"] * static, "--cflags", "--libs", "smll", env=environment).split()
    if static:  # where both lie side by side, -lsmll is the shared one
        flags = ["-l:libsmll.a" if flag == "-lsmll" else flag for flag in flags]
    run(compiler(name), "-std=c++20", EXAMPLES / "file.cc", "-o", tmp_path / "file", *flags, env=environment)
    linked = run("readelf", "-d", tmp_path / "file")
    assert ("libsmll.so" in linked) == (not static)
    check_examples(tmp_path, tmp_path, environment, ["file"])
