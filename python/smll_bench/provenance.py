"""Where figures come from: what stands below each table."""

from __future__ import annotations

import datetime
import os
import pathlib
import subprocess

_FOLDER = pathlib.Path(__file__).resolve().parent
# What changes neither the program nor what it is measured with.
_WITHOUT = (":(top,exclude)docs", ":(top,exclude)*.md")


def processor() -> str:
    """Its name and the number of its cores."""
    name = "unknown processor"
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores"


def commit() -> str:
    """The checkout's, and whether its files are others by now; "unknown" outside a checkout."""

    def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", *arguments], cwd=_FOLDER, capture_output=True, text=True)

    try:
        head = git("rev-parse", "--short", "HEAD")
        if head.returncode != 0:
            return "unknown"
        changed = git("diff", "--quiet", "HEAD", "--", ":(top)", *_WITHOUT).returncode != 0
    except OSError:
        return "unknown"
    return head.stdout.strip() + (" with changes" if changed else "")


def said(command: str) -> str:
    """The command, the day, the commit and the machine, as a sentence for below a table."""
    return f"`{command}`, {datetime.date.today().isoformat()}, commit {commit()}, {processor()}."


def replace_block(page: pathlib.Path, begin: str, end: str, block: str) -> None:
    """Put `block` between two lines of a page that stand there once.

    Raises:
        SystemExit: they do not.
    """
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} has no place for the table: {begin.strip()} and {end.strip()}")
    page.write_text(f"{before}{begin}{block}{end}{after}", encoding="utf-8")
