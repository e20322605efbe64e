"""The plots of `smll bench`, as PNG and SVG.

The paper and the ink of an SVG follow the reader's light or dark setting; a PNG is light. The other colours have enough
contrast to both.
"""

from __future__ import annotations

import pathlib
from typing import Any, Dict, List

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from . import published  # noqa: E402
from .measure import Row, Table  # noqa: E402
from .report import speed_rows  # noqa: E402
from .tables import Results  # noqa: E402

_PAPER, _INK, _GRID = "#fbf9f4", "#25303b", "#b9b4a9"
_DARK = {_PAPER: "#171b20", _INK: "#e4e1d8", _GRID: "#474d55"}
_COLOURS = {
    "smll": "#d1495b",
    "smll llm": "#e0894f",
    "smll cm": "#c9a227",
    "original": "#8d6fc0",
    "gzip -9": "#7b8794",
    "bz2 -9": "#5f9ea0",
    "zstd -19": "#3d84b8",
    "xz -9e": "#4a9c6d",
    "brotli 11": "#9a7aa0",
}
_STYLE = {
    "figure.facecolor": _PAPER,
    "axes.facecolor": _PAPER,
    "savefig.facecolor": _PAPER,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _GRID,
    "font.size": 11,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "smll",
}


def _ratio(row: Row, codec: str) -> float:
    cell = row.cells.get(codec)
    return row.bytes / cell.size if cell else 0.0


def _types(table: Table) -> Any:
    names = [name for name in ("smll", "smll llm", "zstd -19", "xz -9e", "brotli 11") if name in table.rows[0].cells]
    figure, axes = plt.subplots(figsize=(9, 6.2))
    height = 0.82 / len(names)
    for i, name in enumerate(names):
        places = [y + i * height for y in range(len(table.rows))]
        axes.barh(places, [_ratio(row, name) for row in table.rows], height * 0.92, label=name, color=_COLOURS[name])
    middle = height * (len(names) - 1) / 2
    figures = [published.RATIO_BY_TYPE.get(row.label, float("nan")) for row in table.rows]
    axes.scatter(figures, [y + middle for y in range(len(table.rows))], marker="D", s=26, facecolors="none",
                 edgecolors=_INK, label=f"original, published ({published.MODEL}, its texts)", zorder=3)  # fmt: skip
    axes.set_yticks([y + middle for y in range(len(table.rows))], [row.label for row in table.rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    ticks = [1, 2, 5, 10, 20, 50, 100, 200]
    axes.set_xticks(ticks, [f"{tick}x" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("compression ratio (larger is better)")
    axes.set_title("How much smaller, by kind of text")
    axes.grid(axis="x", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower right")
    return figure


def _legend_beside(axes: Any) -> None:
    """Outside of the axes, where no line can cross it."""
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.02))


def _lengths(table: Table) -> Any:
    figure, axes = plt.subplots(figsize=(10.5, 5.2))
    for name in table.rows[0].cells:
        points = [(row.characters, 8 * cell.size / row.characters) for row in table.rows if (cell := row.cells[name])]
        axes.plot(*zip(*points), marker="o", markersize=4, linewidth=2.6 if name == "smll" else 1.5, label=name,
                  color=_COLOURS[name])  # fmt: skip
    axes.plot(*zip(*sorted(published.BITS_BY_LENGTH.items())), "D", markersize=5, markerfacecolor="none", color=_INK,
              label=f"original, published\n({published.MODEL},\nits texts)")  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, 10)
    axes.set_xlabel("characters")
    axes.set_ylabel("bits a character (smaller is better)")
    axes.set_title("How length matters")
    axes.grid(linewidth=0.6)
    _legend_beside(axes)
    return figure


def _speed(table: Table) -> Any:
    figure, axes = plt.subplots(figsize=(10.5, 5.2))
    rows = speed_rows(table)
    for row, marker in zip(rows, "os"):
        for name, cell in row.cells.items():
            if cell is not None:
                speed, ratio = row.bytes / cell.unpack_seconds, row.bytes / cell.size
                axes.scatter(speed, ratio, s=60, marker=marker, color=_COLOURS[name])
    # Labels at the points would lie on each other: some codecs are as fast and as small as others.
    for name in table.rows[0].cells:
        if any(row.cells[name] for row in rows):
            axes.scatter([], [], s=60, marker="o", color=_COLOURS[name], label=name)
    for row, marker in zip(rows, "os"):
        axes.scatter([], [], s=60, marker=marker, facecolors="none", edgecolors=_INK, label=f"{row.label} characters")
    axes.set_xscale("log")
    axes.set_xlabel("decompression, bytes a second")
    axes.set_ylabel("compression ratio")
    axes.set_title("What the ratio costs")
    axes.grid(linewidth=0.6)
    axes.set_axisbelow(True)
    _legend_beside(axes)
    return figure


def _follow_the_reader(path: pathlib.Path) -> None:
    """Let an SVG's paper and ink change with the reader's colour scheme."""
    names = {_PAPER: "paper", _INK: "ink", _GRID: "grid"}
    svg = path.read_text(encoding="utf-8")
    for colour, name in names.items():
        svg = svg.replace(colour, f"var(--{name})")
    light = "".join(f"--{name}:{colour};" for colour, name in names.items())
    dark = "".join(f"--{name}:{_DARK[colour]};" for colour, name in names.items())
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    head, rest = svg.split("<defs>", 1)
    path.write_text(f"{head}{style}<defs>{rest}", encoding="utf-8")


def write(results: Results, folder: pathlib.Path) -> List[pathlib.Path]:
    """Write types, lengths and speed as .png and .svg into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with plt.rc_context(_STYLE):
        figures: Dict[str, Any] = {
            "types": _types(results.types),
            "lengths": _lengths(results.lengths),
            "speed": _speed(results.lengths),
        }
        for name, figure in figures.items():
            figure.tight_layout()
            png, svg = folder / f"{name}.png", folder / f"{name}.svg"
            figure.savefig(png, dpi=110)
            figure.savefig(svg, metadata={"Date": None})
            plt.close(figure)
            _follow_the_reader(svg)
            written += [png, svg]
    return written
