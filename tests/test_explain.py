"""Costs of tokens, and the page that shows them."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest
from conftest import INPUTS, lines

smll_package = pytest.importorskip("smll", reason="the Python module is not built: run make")

HOSTILE = (
    b"<script>document.title='hacked'</script></script><!--<script> ${data} $title &lt; &amp; \"'`\n"
    b"<img src=x onerror=\"document.title='hacked'\"> \xe2\x80\xae\xe2\x80\xa8]]> \xff\xfe \x00 end"
)


@pytest.fixture(scope="module")
def compressor(test_model):
    return smll_package.Compressor(test_model, threads=1)


@pytest.fixture
def sample(tmp_path):
    """A text of which all but 4,000 bytes are for context models alone."""
    path = tmp_path / "sample"
    path.write_bytes(lines(6000))
    return path


@pytest.mark.parametrize("name", ["empty", "text", "all bytes", "invalid UTF-8", "special tokens", "CRLF"])
def test_tokens_spell_the_text(compressor, name):
    costs = compressor.explain(INPUTS[name])
    assert b"".join(cost.token for cost in costs) == INPUTS[name]
    for cost in costs:
        assert cost.bits >= 0 and cost.model_bits >= 0 and cost.context_bits >= 0
        assert len(cost.guesses) == (5 if cost.rank else 0)
        if 0 < cost.rank <= 5:
            assert cost.guesses[cost.rank - 1].token == cost.token
        assert list(cost.guesses) == sorted(cost.guesses, key=lambda guess: -guess.probability)


@pytest.mark.parametrize("experts, column", [("llm", "model_bits"), ("cm", "context_bits")])
def test_costs_are_what_compressing_takes(test_model, experts, column):
    text = lines(2000)
    alone = smll_package.Compressor(test_model, threads=1, experts=experts)
    bits = sum(getattr(cost, column) for cost in alone.explain(text))
    size = len(alone.compress(text))
    assert size == len(text) + 2 or abs(size - bits / 8) < 6  # stored, or coded with a length and a checksum


@pytest.mark.parametrize("experts, column", [("llm", "model_bits"), ("all", "bits")])
def test_costs_behind_a_dictionary(test_model, sample, experts, column):
    text = lines(6000)[1000:1600] + lines(300, 2)
    plain = smll_package.Compressor(test_model, threads=1, experts=experts)
    known = smll_package.Compressor(test_model, threads=1, experts=experts, dictionary=sample)
    costs = known.explain(text)
    assert b"".join(cost.token for cost in costs) == text
    bits = sum(getattr(cost, column) for cost in costs)
    assert abs(len(known.compress(text)) - bits / 8) < 6
    without = sum(getattr(cost, column) for cost in plain.explain(text))
    assert bits < 0.9 * without if experts == "all" else bits != without


def test_ablation_behind_a_dictionary(test_model, sample):
    text = lines(6000)[1000:1300]
    known = smll_package.Compressor(test_model, threads=1, dictionary=sample)
    ablation = known.ablate(text)
    assert ablation.bits == pytest.approx(sum(cost.bits for cost in known.explain(text)))
    assert any(bits > ablation.bits for _, bits in ablation.without)


def test_the_page_names_the_dictionary(smll, test_model, sample):
    smll.write("text", lines(300))
    smll("explain", "text", "-o", "page.html", "--model", test_model, "-D", str(sample))
    page = smll.path("page.html").read_text(encoding="utf-8")
    assert f"behind the dictionary sample (identity {smll_package.Dictionary.load(sample).identity:016x})" in page
    assert b"none" in smll("explain", "text", "-o", "other.html", "--model", test_model, "-D", "none", status=3).stderr


def test_ablation(compressor):
    text = lines(1500)
    ablation = compressor.ablate(text)
    assert ablation.bits == pytest.approx(sum(cost.bits for cost in compressor.explain(text)))
    names = [name for name, _ in ablation.without]
    assert "match 7" in names and "order 1" in names
    assert any(bits != ablation.bits for _, bits in ablation.without)


def test_too_large(compressor):
    with pytest.raises(smll_package.Error) as caught:
        compressor.explain(bytes((1 << 20) + 1))
    assert caught.value.kind == "data"


@pytest.fixture
def page(smll, test_model):
    """Runs `smll explain` on some bytes and returns the page's path."""

    def make(data):
        smll.write("text", data)
        smll("explain", "text", "-o", "page.html", "--model", test_model)
        return smll.path("page.html")

    return make


class Reader(html.parser.HTMLParser):
    """What a browser makes of the page: its elements, and the text inside #text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.shown, self.inside = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.inside = self.inside or dict(attributes).get("id") == "text"

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "div"

    def handle_data(self, data):
        if self.inside:
            self.shown += data


def test_the_page(page):
    text = lines(600)
    path = page(text)
    content = path.read_text(encoding="utf-8")
    reader = Reader(content)
    assert reader.shown.replace("⏎", "") == text.decode()
    assert not re.search(r"(src|href)=|url\(|https?://", content.replace("http://www.w3.org", ""))
    rows = json.loads(content.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert len(rows) == sum(tag == "span" for tag, _ in reader.elements)
    assert "bits a character" in content and "<polyline" in content


def test_hostile_text_stays_text(page):
    reader = Reader(page(HOSTILE).read_text(encoding="utf-8"))
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("script") == 2 and "img" not in tags
    assert "<script>document.title='hacked'</script>" in reader.shown
    assert "\u202e" not in reader.shown and "\0" not in reader.shown
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)


def test_empty_text(page):
    assert "0 bytes" in page(b"").read_text(encoding="utf-8")


def test_an_existing_page_is_kept(smll, test_model, page):
    page(b"one")
    smll("explain", "text", "-o", "page.html", "--model", test_model, status=1)
    smll("explain", "text", "-o", "page.html", "--model", test_model, "-f")
    smll("explain", "none", "-o", "other.html", "--model", test_model, status=1)
    smll("explain", "text", status=2)


def test_without_the_package(smll):
    failed = smll("explain", "x", "-o", "y", status=1, env={"SMLL_PYTHON": shutil.which("false")})
    assert failed.stdout == b""
    failed = smll("bench", status=2, env={"SMLL_PYTHON": "/nonexistent/python"})
    assert b"needs Python" in failed.stderr


@pytest.mark.parametrize("data", [lines(1200), HOSTILE], ids=["text", "hostile"])
def test_in_a_browser(page, tmp_path, data):
    """The page runs without an error, changes nothing it should not, and shows the card for a token."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: the page was not looked at in a browser (apt install chromium)")
    path = page(data)
    # The policy of the page forbids what it does not hold itself; the probe is added to a copy.
    # focus() alone gives no event in a window that is not in front yet.
    probe = "<script>document.querySelector('#text span').dispatchEvent(new FocusEvent('focusin', {bubbles: true}));" \
            "document.body.dataset.card = document.getElementById('card').textContent;</script>"  # fmt: skip
    copy = tmp_path / "probed.html"
    copy.write_text(path.read_text(encoding="utf-8").replace("</body>", probe + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    assert "where the bits go</title>" in done.stdout and "hacked</title>" not in done.stdout
    card = re.search(r'data-card="([^"]*)"', done.stdout).group(1)
    assert "language model alone" in card and ("best guesses" in card or "No token" in card)
