"""The tables of `smll bench`."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

from smll import Compressor

from .codecs import Codec
from .corpora import Corpus, corpora
from .measure import Cell, Table, measure, table
from .ngram import Score, Tables
from .progress import Progress
from .samples import QUOTES, content_types, long_english

LENGTHS = (50, 100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
# A quick run's lengths, and the most characters of its texts by content type.
QUICK_LENGTHS = (50, 100, 500, 1_000)
QUICK_CHARACTERS = 500


class NgramRow(NamedTuple):
    """One corpus: the scores of the n-gram tables, and what the codecs made of the same text."""

    corpus: Corpus
    scores: List[Score]
    cells: Dict[str, Optional[Cell]]


class AblationRow(NamedTuple):
    """What leaving one expert out costs, in bytes: on all texts, and on the one where it matters most."""

    expert: str
    bytes: float
    most_bytes: float
    most_on: str


class Results(NamedTuple):
    """All that was measured."""

    types: Table
    lengths: Table
    quotes: Table
    files: Optional[Table]
    ngrams: List[NgramRow]
    ablation: List[AblationRow]

    def tables(self) -> List[Table]:
        return [t for t in (self.quotes, self.types, self.lengths, self.files) if t is not None]


class Plan(NamedTuple):
    """What to measure."""

    codecs: List[Codec]
    quick: bool
    files: Dict[str, str]
    ablate: Optional[Compressor]

    def texts(self) -> Dict[str, Dict[str, str]]:
        lengths = QUICK_LENGTHS if self.quick else LENGTHS
        most = QUICK_CHARACTERS if self.quick else None
        return {
            "quotes": dict(QUOTES),
            "types": {label: text[:most] for label, text in content_types().items()},
            "lengths": {f"{length:,}": long_english(length) for length in lengths},
            "files": self.files,
        }


def _ngram_rows(codecs: List[Codec], quick: bool, progress: Progress) -> List[NgramRow]:
    own = [codec for codec in codecs if codec.name.startswith("smll")]
    rows = []
    trained, ngrams = b"", None
    for corpus in corpora(quick):
        progress.step(f"n-grams: {corpus.label}")
        if ngrams is None or corpus.train_bytes is not trained:
            trained, ngrams = corpus.train_bytes, Tables(corpus.train_bytes)
        cells = {codec.name: measure(codec, corpus.test_bytes) for codec in own}
        rows.append(NgramRow(corpus, ngrams.scores(corpus.test_bytes), cells))
    return rows


def _ablation_rows(compressor: Compressor, texts: Dict[str, str], progress: Progress) -> List[AblationRow]:
    costs: Dict[str, List[Tuple[float, str]]] = {}
    for label, text in texts.items():
        progress.step(f"experts: {label}")
        ablation = compressor.ablate(text)
        for expert, bits in ablation.without:
            costs.setdefault(expert, []).append(((bits - ablation.bits) / 8, label))
    rows = [AblationRow(expert, sum(cost for cost, _ in each), *max(each)) for expert, each in costs.items()]
    return sorted(rows, key=lambda row: -row.bytes)


def run(plan: Plan) -> Results:
    texts = plan.texts()
    steps = sum(map(len, texts.values())) * len(plan.codecs) + 3
    progress = Progress(steps + (len(texts["types"]) if plan.ablate else 0))
    titles = {
        "quotes": "Three quotes",
        "types": "By content type",
        "lengths": "By length",
        "files": "Your files",
    }
    made = {key: table(key, titles[key], texts[key], plan.codecs, progress) for key in titles}
    results = Results(
        types=made["types"],
        lengths=made["lengths"],
        quotes=made["quotes"],
        files=made["files"] if plan.files else None,
        ngrams=_ngram_rows(plan.codecs, plan.quick, progress),
        ablation=_ablation_rows(plan.ablate, {**texts["types"], **plan.files}, progress) if plan.ablate else [],
    )
    progress.clear()
    return results
