"""Documents lead somewhere: their links, the sections that they name, and the files that documents and comments name."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def pages():
    return [path for path in tracked() if path.suffix == ".md"]


def test_links_lead_to_files():
    dead = []
    for page in pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not re.match(r"https?:|#", target) and not (page.parent / target.partition("#")[0]).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert not dead


def test_documents_that_are_named_exist():
    dead = []
    for path in tracked():
        if path.suffix in (".md", ".h", ".cc", ".cu", ".py", ".sh", ".1", "") and "CHANGELOG" not in path.name:
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            dead += [f"{path.relative_to(ROOT)}: {name}" for name in re.findall(r"(?<![\w/.])docs/[\w/-]+\.md", text)
                     if not (ROOT / name).exists()]
    assert not dead


def test_sections_that_are_named_exist():
    """A link followed by a title in quotes, as in [format](format.md), "Frame"."""
    dead = []
    for page in pages():
        for target, section in re.findall(r'\]\(([^)\s]+\.md)\), "([^"]+)"', page.read_text(encoding="utf-8")):
            text = (page.parent / target).read_text(encoding="utf-8")
            if not re.search(rf"^#+ {re.escape(section)}$", text, re.M):
                dead.append(f"{page.relative_to(ROOT)}: {target}, {section}")
    assert not dead


def test_every_page_is_found_from_the_first():
    seen, waiting = set(), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        waiting += [page.parent / target.partition("#")[0] for target in targets if not re.match(r"https?:|#", target)]
    unseen = [page for page in pages() if "docs" in page.parts and "lab" not in page.parts and page.resolve() not in seen]
    assert not unseen
