"""Files of the Hugging Face hub, through huggingface_hub and its cache."""

from __future__ import annotations

import fnmatch
from typing import List


def _match(names: List[str], pattern: str, repo_id: str) -> str:
    found = sorted(name for name in names if fnmatch.fnmatch(name, pattern))
    if len(found) != 1:
        what = "no file" if not found else "more than one file: " + ", ".join(found)
        raise ValueError(f"{pattern!r} fits {what} of {repo_id}")
    return found[0]


def hub_files(repo_id: str, patterns: List[str]) -> List[str]:
    """Download what each pattern (or name) fits, and return the paths. The hub is only asked for a list of files when
    there is a pattern, so names work offline once the files are in the hub's cache."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "from_pretrained needs the package huggingface_hub: pip install huggingface_hub"
        ) from error
    names: List[str] = []
    if any(sign in pattern for pattern in patterns for sign in "*?["):
        names = list(huggingface_hub.list_repo_files(repo_id))
        patterns = [_match(names, pattern, repo_id) for pattern in patterns]
    return [huggingface_hub.hf_hub_download(repo_id, name) for name in patterns]
