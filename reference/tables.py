"""Texts that are part of the format; docs/spec has them as files."""

import hashlib
import json
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent / "docs" / "spec"
ENGLISH = (SPEC / "english.txt").read_bytes()
ENGLISH_SHA256 = "f8337f67c873e11f"  # its first 16 digits
assert hashlib.sha256(ENGLISH).hexdigest().startswith(ENGLISH_SHA256)
# What short texts may begin with: text, and its chance * 65536.
OPENINGS: list[tuple[str, int]] = [(text, chance) for text, chance in json.loads((SPEC / "openings.json").read_text("utf-8"))]
