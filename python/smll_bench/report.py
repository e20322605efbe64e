"""Results as text (Markdown, legible as it is), JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
import pathlib
import platform
from typing import Any, Dict, List, NamedTuple, Optional

from . import published
from .measure import Cell, Row, Table
from .tables import Results


_NOISE = "Nothing in it can be foreseen but its alphabet; a fixed code for that is best, and smll learns it as it goes."
_WHY = {"base64": _NOISE, "random": _NOISE}


class Context(NamedTuple):
    """What the figures depend on. `said`: command, day, commit and processor, as a sentence."""

    version: str
    model: Dict[str, Any]
    quick: bool
    plots: Optional[pathlib.Path]
    said: str
    dictionary: Optional[str] = None  # behind which the experts are measured


def _grid(header: List[str], rows: List[List[str]]) -> str:
    """A Markdown table with aligned columns, the first to the left."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]

    def line(cells: List[str]) -> str:
        aligned = [cells[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(aligned) + " |"

    rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
    return "\n".join([line(header), "| " + " | ".join(rule) + " |", *map(line, rows)])


def _smallest(row: Row) -> int:
    return min((cell.size for cell in row.cells.values() if cell), default=0)


def _size(row: Row, codec: str) -> str:
    cell = row.cells[codec]
    if cell is None:
        return "-"
    mark = "**" if cell.size == _smallest(row) else ""
    return f"{mark}{cell.size:,}{mark}" + ("" if cell.verified else " (!)")


def _ratio(row: Row, codec: str = "smll") -> str:
    cell = row.cells[codec]
    return f"{row.bytes / cell.size:.2f}x" if cell else "-"


def _bits(row: Row, codec: str) -> str:
    cell = row.cells[codec]
    return f"{8 * cell.size / max(row.characters, 1):.3f}" if cell else "-"


def _codecs(table: Table) -> List[str]:
    return list(table.rows[0].cells) if table.rows else []


def sizes(table: Table, extra_name: str = "", extra: Optional[Dict[str, str]] = None) -> str:
    names = _codecs(table)
    header = ["text", "bytes", *names, "ratio"] + ([extra_name] if extra else [])
    rows = []
    for row in table.rows:
        cells = [row.label, f"{row.bytes:,}", *(_size(row, name) for name in names), _ratio(row)]
        rows.append(cells + ([extra.get(row.label, "-")] if extra else []))
    return _grid(header, rows)


def _losses(table: Table) -> List[str]:
    """Why smll is not the smallest where it is not."""
    lines = []
    for row in table.rows:
        own = row.cells["smll"]
        best = min((name for name in row.cells if row.cells[name]), key=lambda name: _cell(row, name).size)
        if own and _cell(row, best).size < own.size:
            why = f" {_WHY[row.label]}" if row.label in _WHY else ""
            lines.append(f"- {row.label}: {best} takes {own.size - _cell(row, best).size} bytes less.{why}")
    return lines


def _cell(row: Row, name: str) -> Cell:
    cell = row.cells[name]
    assert cell is not None
    return cell


def _lengths(table: Table) -> str:
    names = _codecs(table)
    header = ["characters", *names, f"published ({published.MODEL})"]
    rows = []
    for row in table.rows:
        figure = published.BITS_BY_LENGTH.get(row.characters)
        rows.append([row.label, *(_bits(row, name) for name in names), f"{figure:.3f}" if figure else "-"])
    return _grid(header, rows)


def _rate(size: int, seconds: float) -> str:
    if math.isnan(seconds) or seconds <= 0:
        return "-"
    return f"{float(f'{size / seconds:.3g}'):,.0f}"


def speed_rows(table: Table) -> List[Row]:
    """The texts of the table of speed: one that is coded in one context, and the longest."""
    short = [row for row in table.rows if row.characters <= 10_000]
    return short[-1:] + [row for row in table.rows[-1:] if row not in short]


def _speed(table: Table) -> str:
    chosen = speed_rows(table)
    header = ["codec"]
    for row in chosen:
        header += [f"compress, {row.label}", f"decompress, {row.label}"]
    lines = []
    for name in _codecs(table):
        cells = [name]
        for row in chosen:
            cell = row.cells[name]
            cells += [_rate(row.bytes, cell.pack_seconds), _rate(row.bytes, cell.unpack_seconds)] if cell else ["-", "-"]
        lines.append(cells)
    return _grid(header, lines)


def _ngrams(results: Results) -> str:
    rows = results.ngrams
    orders = [score.order for score in rows[0].scores]
    names = list(rows[0].cells)
    header = ["text", "bytes", *(f"order {order}" for order in orders), *names, "fewer bits than the best table"]
    lines = []
    for row in rows:
        size = len(row.corpus.test_bytes)
        characters = len(row.corpus.test_bytes.decode("utf-8", "ignore"))
        tables = [score.bits / characters for score in row.scores]
        own = row.cells["smll"]
        figures = [8 * cell.size / characters if cell else math.nan for cell in row.cells.values()]
        gain = 1 - 8 * own.size / characters / min(tables) if own else math.nan
        lines.append([row.corpus.label, f"{size:,}", *(f"{v:.3f}" for v in tables + figures), f"{gain:.0%}"])
    return _grid(header, lines)


def _ngram_sources(results: Results) -> str:
    lines = []
    for row in results.ngrams:
        corpus = row.corpus
        lines.append(
            f"- {corpus.label}: trained on {len(corpus.train_bytes):,} bytes of {corpus.training} "
            f"({row.scores[-1].entries:,} entries), tested on {corpus.test}."
        )
    return "\n".join(lines)


def _ablation(results: Results) -> str:
    rows = [
        [row.expert, f"{row.bytes:+.1f}", f"{row.most_bytes:+.1f}", row.most_on] for row in results.ablation
    ]
    return _grid(["left out", "bytes more", "at most", "on"], rows)


def _picture(context: Context, name: str, caption: str) -> List[str]:
    return [f"![{caption}](plots/{name}.svg)", ""] if context.plots is not None else []


def text(results: Results, context: Context) -> str:
    """Everything, as Markdown."""
    types, ratios = results.types, {k: f"{v:.2f}x" for k, v in published.RATIO_BY_TYPE.items()}
    quotes = {k: str(v) for k, v in published.QUOTE_BYTES.items()}
    parts = [
        "# Results",
        "",
        f"{context.said[:-1]}; smll {context.version} with {context.model['name']}, instruction set {context.model['isa']}, "
        f"Python {platform.python_version()}. Every size was verified by a round trip. Sizes are the same on every machine.",
        "",
        "`smll` is the default, `smll llm` the language model alone (the original's method), `smll cm` the context models "
        f"without a language model. Published figures are the original's, with its {published.MODEL} and its own texts. "
        "The model's file, which both sides need, is not counted in any size.",
        "",
        "## Three quotes",
        "",
        "Bytes; the last column is published.",
        "",
        sizes(results.quotes, "published", quotes),
        "",
        "## By content type",
        "",
        *_picture(context, "types", "Compression ratio by content type"),
        "Bytes; `ratio` is smll's. The texts were written for this project or generated from a seed.",
        "",
        sizes(types, "published ratio", ratios),
        "",
        *_losses(types),
        "",
        "## By length",
        "",
        *_picture(context, "lengths", "Bits a character by length"),
        "Bits a character. English written for this project up to about 5,600 characters, then Python's language reference.",
        "",
        _lengths(results.lengths),
        "",
        "## Speed",
        "",
        *_picture(context, "speed", "Compression ratio against speed"),
        "Bytes a second, by length of the text in characters. One text of up to 64 KiB in memory is one context; longer "
        "ones are cut into contexts that are decoded side by side. The original's published speed is about "
        f"{published.CHARACTERS_A_SECOND} characters a second on an Apple M4 Max.",
        "",
        _speed(results.lengths),
        "",
        "## Against n-gram lookup tables",
        "",
        "Is the model more than a large lookup table? Bits a character on text that neither the model nor the tables can "
        "have seen. A table of order n looks up the n bytes before; its figures are ideal, without a coder's rounding.",
        "",
        _ngrams(results),
        "",
        _ngram_sources(results),
    ]
    if results.files is not None:
        parts += ["", "## Your files", "", sizes(results.files)]
    if results.ablation:
        parts += [
            "",
            "## What each expert is worth",
            "",
            "Bytes that the texts take more in all when one expert beside the language model is left out"
            + (f", behind the dictionary {context.dictionary}." if context.dictionary else "."),
            "",
            _ablation(results),
        ]
    return "\n".join(parts)


def _as_json(results: Results, context: Context) -> Dict[str, Any]:
    def row(each: Row) -> Dict[str, Any]:
        cells = {name: cell._asdict() if cell else None for name, cell in each.cells.items()}
        return {"label": each.label, "characters": each.characters, "bytes": each.bytes, "codecs": cells}

    return {
        "version": context.version,
        "model": context.model,
        "quick": context.quick,
        "tables": {table.key: [row(each) for each in table.rows] for table in results.tables()},
        "ngrams": [
            {
                "label": each.corpus.label,
                "training": each.corpus.training,
                "training_bytes": len(each.corpus.train_bytes),
                "test": each.corpus.test,
                "test_bytes": len(each.corpus.test_bytes),
                "orders": [score._asdict() for score in each.scores],
                "codecs": {name: cell._asdict() if cell else None for name, cell in each.cells.items()},
            }
            for each in results.ngrams
        ],
        "ablation": [each._asdict() for each in results.ablation],
    }


def _write_csv(results: Results, path: pathlib.Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["table", "text", "characters", "bytes", "codec", *Cell._fields])
        for table in results.tables():
            for row in table.rows:
                for name, cell in row.cells.items():
                    if cell is not None:
                        out.writerow([table.key, row.label, row.characters, row.bytes, name, *cell])


def write(results: Results, context: Context, folder: pathlib.Path) -> None:
    """Write results.json, results.csv and results.md into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(_as_json(results, context), indent=1) + "\n", encoding="utf-8")
    _write_csv(results, folder / "results.csv")
    (folder / "results.md").write_text(text(results, context) + "\n", encoding="utf-8")
