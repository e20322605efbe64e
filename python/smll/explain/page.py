"""A page that shows what each token of a text costs: one file, nothing loaded from anywhere.

The text may be hostile. In HTML it is escaped; in the page's script it is JSON in which no "<" is left, and goes into the
page as text only.
"""

from __future__ import annotations

import html
import json
import pathlib
import string
from typing import Iterable, List, NamedTuple, Optional, Tuple

from .. import TokenCost

# Bits of a token that get the strongest shade.
_HOT = 12.0
_COSTLIEST = 25
# The chart shows at most this many points, each the mean of its neighbourhood.
_POINTS = 240
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 900, 190, 40, 24


class Subject(NamedTuple):
    """What the page is about: the file's name, its bytes, how many of them are explained, the model's name, the dictionary's
    if there is one."""

    name: str
    size: int
    explained: int
    model: str
    dictionary: Optional[str] = None


def _shown(token: bytes) -> str:
    """A token as text; bytes that are none, and characters that would not be seen or would reorder the page, are spelled
    out."""
    out = []
    for character in token.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif character in "\n\t ":
            out.append({"\n": "⏎", "\t": "⇥", " ": "␣"}[character])
        elif not character.isprintable():
            out.append(f"\\u{code:04x}")
        else:
            out.append(character)
    return "".join(out)


def _name(name: str) -> str:
    """What a file or a dictionary is called, likewise."""
    return _shown(name.encode("utf-8", "surrogateescape")).replace("␣", " ")


def _flowing(token: bytes) -> str:
    """The same for the running text, where spaces and line ends do what they mean."""
    shown = _shown(token).replace("␣", " ").replace("⇥", "\t")
    return shown.replace("⏎", "⏎\n")


def _spans(costs: List[TokenCost]) -> str:
    spans = []
    for i, cost in enumerate(costs):
        shade = min(cost.bits / _HOT, 1.0) * 0.85
        spans.append(f'<span tabindex="0" data-i="{i}" style="--a:{shade:.2f}">{html.escape(_flowing(cost.token))}</span>')
    return "".join(spans)


def _data(costs: List[TokenCost]) -> str:
    rows = [
        [
            _shown(cost.token),
            round(cost.bits, 3),
            round(cost.model_bits, 3),
            round(cost.context_bits, 3),
            cost.rank,
            [[_shown(guess.token), round(guess.probability, 5)] for guess in cost.guesses],
        ]
        for cost in costs
    ]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    # Inside <script> only "<" can end the element or begin a comment.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _characters(token: bytes) -> int:
    """Characters that begin in the token, so that one cut between tokens counts once."""
    return sum(byte & 0xC0 != 0x80 for byte in token)


def _smoothed(costs: List[TokenCost]) -> List[Tuple[float, float]]:
    """(characters so far, bits a character) in steps of equal numbers of tokens."""
    step = max(1, -(-len(costs) // _POINTS))
    points, position = [], 0
    for i in range(0, len(costs), step):
        part = costs[i : i + step]
        characters = sum(_characters(cost.token) for cost in part)
        if characters:
            points.append((position + characters / 2, sum(cost.bits for cost in part) / characters))
        position += characters
    return points


def _chart(costs: List[TokenCost]) -> str:
    points = _smoothed(costs)
    if not points:
        return ""
    end = sum(_characters(cost.token) for cost in costs)
    top = max(1.0, max(bits for _, bits in points))
    across, up = _WIDTH - _LEFT - 10, _HEIGHT - _BOTTOM - 10

    def place(position: float, bits: float) -> str:
        return f"{_LEFT + across * position / max(end, 1):.1f},{10 + up * (1 - bits / top):.1f}"

    line = " ".join(place(*point) for point in points)
    area = f"{place(points[0][0], 0)} {line} {place(points[-1][0], 0)}"
    marks = "".join(
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
        for value, y in ((top * part, 10 + up * (1 - part)) for part in (0, 0.5, 1))
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="bits a character along the text">{marks}'
        f'<polygon class="area" points="{area}"/><polyline class="line" points="{line}"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 6}">0</text>'
        f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 6}" text-anchor="end">{end:,} characters</text></svg>'
    )


def _totals(costs: List[TokenCost], subject: Subject) -> str:
    bits = sum(cost.bits for cost in costs)
    characters = max(sum(_characters(cost.token) for cost in costs), 1)
    first = sum(cost.rank == 1 for cost in costs)
    entries: Iterable[Tuple[str, str]] = (
        ("text", f"{subject.explained:,} bytes"),
        ("coded", f"{bits / 8:,.0f} bytes"),
        ("ratio", f"{subject.explained / max(bits / 8, 1):.2f}x"),
        ("bits a character", f"{bits / characters:.3f}"),
        ("model alone", f"{sum(cost.model_bits for cost in costs) / 8:,.0f} bytes"),
        ("context models alone", f"{sum(cost.context_bits for cost in costs) / 8:,.0f} bytes"),
        ("tokens", f"{len(costs):,}"),
        ("first guess right", f"{first / max(len(costs), 1):.0%}"),
    )
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in entries)


def _costliest(costs: List[TokenCost]) -> str:
    rows = []
    for cost in sorted(costs, key=lambda each: -each.bits)[:_COSTLIEST]:
        token = html.escape(_shown(cost.token))
        rank = f"{cost.rank:,}" if cost.rank else "-"
        rows.append(f"<tr><td><code>{token}</code></td><td>{cost.bits:.2f}</td><td>{cost.model_bits:.2f}</td>"
                    f"<td>{cost.context_bits:.2f}</td><td>{rank}</td></tr>")  # fmt: skip
    return "\n".join(rows)


def render(costs: List[TokenCost], subject: Subject) -> str:
    """The page as HTML."""
    behind = f", behind the dictionary {_name(subject.dictionary)}" if subject.dictionary else ""
    about = f"with {subject.model}, in one context{behind}; a cost of b bits stands for a probability of 1 in 2^b"
    if subject.explained < subject.size:
        about += f"; the first {subject.explained:,} of {subject.size:,} bytes"
    template = (pathlib.Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    return string.Template(template).substitute(
        title=html.escape(f"{subject.name}: where the bits go"),
        name=html.escape(_name(subject.name)),
        about=html.escape(about),
        totals=_totals(costs, subject),
        chart=_chart(costs),
        tokens=_spans(costs),
        costliest=_costliest(costs),
        data=_data(costs),
    )
