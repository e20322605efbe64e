"""SQLite's extension: functions, and tables that are compressed behind a view."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import BUILD, ROOT

EXTENSION = pathlib.Path(os.environ.get("SMLL_PYTHONPATH", BUILD / "python")) / "smll" / "smll_sqlite.so"
PROGRAM = shutil.which("sqlite3")

pytestmark = [
    pytest.mark.skipif(not EXTENSION.exists(), reason=f"{EXTENSION} is not built: libsqlite3-dev is missing"),
    pytest.mark.skipif(PROGRAM is None, reason="the program sqlite3 is not installed"),
]


class Database:
    """A database file and the program sqlite3, as its users have them."""

    def __init__(self, path):
        self.path = path

    def command(self, *statements):
        return [PROGRAM, "-batch", "-bail", "-json", "-cmd", f".load {EXTENSION}", str(self.path), *statements]

    def run(self, *statements):
        return subprocess.run(self.command(*statements), capture_output=True, text=True, timeout=300)

    def __call__(self, *statements):
        """The rows of the last statement that gives some, as tuples."""
        done = self.run(*statements)
        assert done.returncode == 0, done.stderr
        # A JSON array for each statement that gives rows.
        decoder, text, rows = json.JSONDecoder(), done.stdout.strip(), []
        while text:
            rows, end = decoder.raw_decode(text)
            text = text[end:].strip()
        return [tuple(row.values()) for row in rows]

    def error(self, *statements):
        done = self.run(*statements)
        assert done.returncode != 0, done.stdout
        return done.stderr


def texts(count, first=0):
    return [f"message {n} to {n * 7 % 50}: it is about {n % 9} of the things" for n in range(first, first + count)]


FILL = (
    "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) INSERT INTO messages (id, body) "
    "SELECT i, 'message ' || i || ' to ' || (i * 7 % 50) || ': it is about ' || (i % 9) || ' of the things' FROM n"
)


@pytest.fixture
def database(cache, test_model, tmp_path, monkeypatch):
    monkeypatch.setenv("SMLL_MODEL", test_model)
    return Database(tmp_path / "chat.db")


@pytest.fixture
def messages(database):
    """A table of 200 messages, which is enabled."""
    database(
        "CREATE TABLE messages (id INTEGER PRIMARY KEY, chat INTEGER DEFAULT 5, body TEXT)",
        FILL.format(first=1, last=200), "SELECT smll_enable('messages', 'body')",
    )
    return database


def states(database):
    """How many rows are in each state."""
    return dict(database("SELECT coalesce(_body_smll, 'waits'), count(*) FROM _messages_smll GROUP BY 1"))


def test_functions(database):
    text = "a text of this and that, this and that, 'quoted' and über"
    quoted = text.replace("'", "''")
    assert database(f"SELECT smll_decompress(smll_compress('{quoted}')) AS text") == [(text,)]
    (form, kind, size), = database(
        f"SELECT smll_info(value) ->> 'form', typeof(value), length(value) FROM (SELECT smll_compress('{quoted}') AS value)"
    )
    assert form in ("short", "compact") and kind == "blob" and size <= len(text.encode()) + 2
    assert database("SELECT smll_compress(NULL) IS NULL AND smll_decompress(NULL) IS NULL AND smll_info(NULL) IS NULL") == [(1,)]
    assert database("SELECT smll_decompress(smll_compress('')) = ''") == [(1,)]
    long, form, raw = database(
        "SELECT smll_decompress(x) = t, smll_info(x) ->> 'form', smll_info(x) ->> 'raw_bytes' FROM (SELECT smll_compress(t) AS x, t "
        "FROM (SELECT replace(hex(zeroblob(17000)), '0', 'ab') AS t))"
    )[0]
    assert (long, form, raw) == (1, "file", 68000)


def test_functions_give_what_python_gives(database, test_model):
    import smll

    text = "what the one compresses the other restores"
    with smll.Compressor(test_model) as compressor:
        data = compressor.compress(text)
        other = compressor.compress(b"\xff\xfe no text")
    assert database(f"SELECT hex(smll_compress('{text}'))") == [(data.hex().upper(),)]
    assert database(f"SELECT smll_decompress(x'{data.hex()}')") == [(text,)]
    assert database(f"SELECT typeof(smll_decompress(x'{other.hex()}'))") == [("blob",)]


def test_a_value_names_its_dictionary(database, tmp_path, binary):
    path = tmp_path / "sample.txt"
    path.write_text("".join(text + "\n" for text in texts(40)))
    database("CREATE TABLE t (x)", f"INSERT INTO t SELECT smll_compress('{texts(1, 77)[0]}', '{path}')")
    plain, = database(f"SELECT length(smll_compress('{texts(1, 77)[0]}'))")[0]
    size, = database("SELECT length(x) FROM t")[0]
    assert size < plain
    told = database.error("SELECT smll_decompress(x) FROM t")
    identity, = database("SELECT smll_info(x) ->> 'dictionary' FROM t")[0]
    assert identity.rstrip(".") in told and "smll dict add" in told
    assert database(f"SELECT smll_decompress(x, '{path}') FROM t") == [(texts(1, 77)[0],)]
    other = tmp_path / "other.txt"
    other.write_text("another text\n")
    assert "another dictionary" in database.error(f"SELECT smll_decompress(x, '{other}') FROM t")
    subprocess.run([binary, "dict", "add", path], check=True, capture_output=True)
    assert database("SELECT smll_decompress(x) FROM t") == [(texts(1, 77)[0],)]
    assert database("SELECT smll_info(x) ->> 'dictionary_name' FROM t") == [("sample.txt",)]


@pytest.mark.parametrize(
    "expression, told",
    [
        ("smll_compress(5)", "CAST"),
        ("smll_compress(x'00')", "CAST"),
        ("smll_decompress('text')", "no blob"),
        ("smll_decompress(x'f5')", ""),
        ("smll_decompress(x'f401')", "cut off"),
        ("smll_decompress(x'')", ""),
        ("smll_info(x'f5')", "no compressed value"),
        ("smll_info(x'')", "empty"),
        ("smll_compress('a', 'no such dictionary')", "no such dictionary"),
        ("smll_compress('a', NULL, 'none.gguf')", "none.gguf"),
        ("smll_compress('a', 5)", "dictionary must be a text"),
        ("smll_maintain('soon')", "seconds"),
        ("smll_maintain(-1)", "seconds"),
        ("smll_enable('nothing', 'body')", "no table"),
        ("smll_disable('nothing', 'body')", "not compressed"),
    ],
)
def test_errors(database, expression, told):
    message = database.error(f"SELECT {expression}")
    assert told in message and message.startswith(("Error", "Runtime error")), message


def test_rows_read_as_they_were_written(messages):
    everything = messages("SELECT * FROM messages ORDER BY id")
    assert [row[2] for row in everything] == texts(200, 1)
    assert messages("SELECT smll_maintain(600) AS waiting") == [(0,)]
    assert states(messages) == {1: 200}
    assert messages("SELECT * FROM messages ORDER BY id") == everything
    assert messages("SELECT * FROM messages ORDER BY id DESC") == everything[::-1]
    assert messages("SELECT body FROM messages WHERE id = 17") == [(texts(1, 17)[0],)]
    assert messages("SELECT body FROM messages WHERE id BETWEEN 50 AND 99") == [(text,) for text in texts(50, 50)]
    assert messages("SELECT id FROM messages WHERE body LIKE 'message 12%' AND id % 7 = 0 ORDER BY id") == [
        (n,) for n in range(1, 201) if str(n).startswith("12") and n % 7 == 0
    ]
    stored, raw = messages("SELECT (SELECT sum(length(body)) FROM _messages_smll), sum(length(body)) FROM messages")[0]
    assert stored < raw


def test_rows_in_any_order(messages):
    messages("SELECT smll_maintain(600)", "CREATE TABLE places (place INTEGER PRIMARY KEY, id)")
    order = random.Random(3).sample(range(1, 201), 60)
    messages("INSERT INTO places (id) VALUES " + ",".join(f"({n})" for n in order))
    found = messages("SELECT body FROM places CROSS JOIN messages USING (id) ORDER BY place")
    assert found == [(texts(1, n)[0],) for n in order]


def test_writing_through_the_view(messages):
    messages("SELECT smll_maintain(600)")
    messages(
        "INSERT INTO messages (body) VALUES ('one more')",
        "INSERT INTO messages (id, chat, body) VALUES (900, NULL, NULL), (901, 1, 17), (902, 1, x'0102')",
        "UPDATE messages SET chat = 8 WHERE id = 3",
        "UPDATE messages SET body = body || '!', chat = 9 WHERE id = 4",
        "UPDATE messages SET id = 1000 WHERE id = 5",
        "DELETE FROM messages WHERE id = 6",
        "REPLACE INTO messages (id, body) VALUES (7, 'replaced')",
    )
    expected = [
        (3, 8, texts(1, 3)[0]), (4, 9, texts(1, 4)[0] + "!"), (7, 5, "replaced"), (201, 5, "one more"), (900, 5, None),
        (901, 1, "17"), (902, 1, "\x01\x02"), (1000, 5, texts(1, 5)[0]),
    ]
    query = "SELECT * FROM messages WHERE id IN (3, 4, 5, 6, 7) OR id > 200 ORDER BY id"
    for _ in range(2):
        rows = messages(query)
        assert [row if row[0] != 901 else (*row[:2], str(row[2])) for row in rows] == expected
        assert messages("SELECT typeof(body) FROM messages WHERE id = 902") == [("blob",)]
        messages("SELECT smll_maintain(600)")
    assert "waits" not in states(messages)
    before = states(messages)
    messages("UPDATE messages SET chat = 77, body = body WHERE id = 9", "UPDATE messages SET id = 2000, body = 'MOVED' WHERE id = 8")
    assert messages("SELECT id, chat, body FROM messages WHERE id IN (8, 9, 2000) ORDER BY id") == [(9, 77, texts(1, 9)[0]), (2000, 5, "MOVED")]
    assert states(messages) == {**before, 1: before[1] - 1, "waits": 1}


def test_changes_roll_back(messages):
    messages("BEGIN", "SELECT smll_maintain(600)", "UPDATE messages SET body = 'x'", "DELETE FROM messages WHERE id > 10", "ROLLBACK")
    assert states(messages) == {"waits": 200}
    assert messages("SELECT body FROM messages ORDER BY id") == [(text,) for text in texts(200, 1)]
    assert messages("BEGIN", "SELECT smll_maintain(600)", "COMMIT", "SELECT count(*) FROM _messages_smll WHERE _body_smll = 1") == [(200,)]


def test_a_trained_dictionary_is_in_the_database(messages, tmp_path, monkeypatch):
    identity, = messages("SELECT smll_train('messages', 'body', 0.01)")[0]
    assert messages("SELECT identity, name FROM _smll_dictionaries") == [(identity, "messages.body")]
    messages("SELECT smll_maintain(600)")
    with_it, = messages("SELECT sum(length(body)) FROM _messages_smll")[0]
    monkeypatch.setenv("SMLL_CACHE", str(tmp_path / "other cache"))
    assert messages("SELECT body FROM messages ORDER BY id") == [(text,) for text in texts(200, 1)]
    messages("SELECT smll_enable('messages', 'body', NULL)", "UPDATE _messages_smll SET (body, _body_smll) = (SELECT body, NULL FROM messages m WHERE m.id = _messages_smll.id)", "SELECT smll_maintain(600)")
    without, = messages("SELECT sum(length(body)) FROM _messages_smll")[0]
    assert with_it < without * 0.8
    messages("SELECT smll_enable('messages', 'body', 'messages.body')", "UPDATE messages SET body = body || '!' WHERE id = 4", "SELECT smll_maintain(600)")
    assert states(messages) == {1: 1, 2: 199}
    messages("DELETE FROM _smll_dictionaries")
    assert identity in messages.error("SELECT body FROM messages WHERE id = 4")
    assert messages("SELECT body FROM messages WHERE id = 5") == [(texts(1, 5)[0],)]


def test_another_model_is_named(messages, other_model, tmp_path, monkeypatch):
    messages("SELECT smll_maintain(600)")
    fingerprint, = messages("SELECT fingerprint FROM _smll_sets")[0]
    monkeypatch.setenv("SMLL_MODEL", other_model)
    assert messages("SELECT body FROM messages WHERE id = 9") == [(texts(1, 9)[0],)]  # this machine knows the first one
    monkeypatch.setenv("SMLL_CACHE", str(tmp_path / "other cache"))
    assert fingerprint in messages.error("SELECT body FROM messages WHERE id = 9")
    messages("INSERT INTO messages (body) VALUES ('a text by another model, a text by another model')", "SELECT smll_maintain(600)")
    assert states(messages) == {1: 200, 2: 1}
    assert messages("SELECT body FROM messages WHERE id = 201") == [("a text by another model, a text by another model",)]


def test_disable_gives_the_table_back(database):
    schema = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_smll%' ESCAPE '\\' AND sql NOT NULL ORDER BY name"
    database(
        "CREATE TABLE messages (id TEXT PRIMARY KEY, body TEXT COLLATE NOCASE, note TEXT, twice AS (note || note))",
        "CREATE TABLE likes (message REFERENCES messages (id) ON DELETE CASCADE)", "CREATE INDEX notes ON messages (note)",
        "CREATE VIEW loud AS SELECT upper(body) AS body FROM messages",
        "INSERT INTO messages VALUES ('a', 'A text of this', 'note'), ('b', NULL, 'another'), ('c', 'it is the last of all', NULL)",
    )
    before, rows = database(schema), database("SELECT * FROM messages ORDER BY id")
    database("SELECT smll_enable('Messages', 'Body')", "SELECT smll_maintain(600)")
    assert database("SELECT * FROM messages ORDER BY id") == rows
    assert database("SELECT id FROM messages WHERE body = 'a TEXT of this'") == [("a",)]
    assert database("SELECT body FROM loud") == [("A TEXT OF THIS",), (None,), ("IT IS THE LAST OF ALL",)]
    database("PRAGMA foreign_keys = ON", "INSERT INTO likes VALUES ('c')", "DELETE FROM messages WHERE id = 'c'")
    assert database("SELECT count(*) FROM likes") == [(0,)]
    assert "not compressed" in database.error("SELECT smll_disable('messages', 'note')")
    database("SELECT smll_disable('messages', 'body')")
    # SQLite writes names of renamed tables in quotes.
    assert [(kind, name, sql.replace('"', "")) for kind, name, sql in database(schema)] == before
    assert database("SELECT * FROM messages ORDER BY id") == rows[:2]


def test_two_columns_of_a_table(messages):
    messages("SELECT smll_disable('messages', 'body')", "ALTER TABLE messages ADD COLUMN note TEXT", "UPDATE messages SET note = 'the note of ' || body")
    rows = messages("SELECT * FROM messages ORDER BY id")
    messages("SELECT smll_enable('messages', 'body')", "SELECT smll_enable('messages', 'note')", "SELECT smll_maintain(600)")
    assert messages("SELECT * FROM messages ORDER BY id") == rows
    messages("UPDATE messages SET note = 'changed', body = 'both' WHERE id = 3")
    assert messages("SELECT note, body FROM messages WHERE id = 3") == [("changed", "both")]
    messages("SELECT smll_disable('messages', 'body')")
    assert messages("SELECT note FROM messages WHERE id = 4") == [(rows[3][3],)]
    messages("SELECT smll_disable('messages', 'note')")
    assert messages("SELECT type FROM sqlite_schema WHERE name = 'messages'") == [("table",)]
    assert messages("SELECT * FROM messages WHERE id <> 3 ORDER BY id") == [row for row in rows if row[0] != 3]


@pytest.mark.parametrize(
    "schema, told",
    [
        ("CREATE TABLE t (body TEXT)", "primary key"),
        ("CREATE TABLE t (body TEXT PRIMARY KEY)", "primary key"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID", "WITHOUT ROWID"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT) STRICT", "STRICT"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT UNIQUE)", "index"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT); CREATE INDEX i ON t (lower(Body))", "index i"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT REFERENCES other)", "foreign key"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, n, body TEXT AS (n || '!'))", "generated"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)", "no column body"),
        ("CREATE VIEW t AS SELECT 'x' AS body", "view"),
        ("CREATE VIRTUAL TABLE t USING fts5(body)", "virtual"),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT); CREATE TRIGGER g AFTER DELETE ON t BEGIN SELECT old.body; END",
            "trigger g",
        ),
    ],
)
def test_tables_that_cannot_be_compressed(database, schema, told):
    database(schema)
    before = database("SELECT * FROM sqlite_schema")
    assert told in database.error("SELECT smll_enable('t', 'body')")
    assert database("SELECT * FROM sqlite_schema") == before


def test_a_value_that_was_changed_on_disk(messages):
    messages("SELECT smll_maintain(600)", "UPDATE _messages_smll SET body = x'f5f5' WHERE id = 8", "UPDATE _messages_smll SET _body_smll = 77 WHERE id = 9")
    assert messages("SELECT count(body) FROM messages WHERE id < 8") == [(7,)]
    assert messages.error("SELECT body FROM messages WHERE id = 8")
    assert "_smll_sets" in messages.error("SELECT body FROM messages WHERE id = 9")
    assert messages("SELECT body FROM messages WHERE id BETWEEN 10 AND 60") == [(text,) for text in texts(51, 10)]


def test_an_attached_database_is_not_read_with_the_main_ones_sets(messages, tmp_path):
    messages("SELECT smll_maintain(600)")
    other = Database(tmp_path / "other.db")
    attach = f"ATTACH '{messages.path}' AS old"
    assert "attached" in other.error(attach, "SELECT body FROM old.messages WHERE id = 1")
    other("CREATE TABLE messages (id INTEGER PRIMARY KEY, body TEXT)", FILL.format(first=1, last=20))
    other("SELECT smll_enable('messages', 'body')", "SELECT smll_train('messages', 'body', 0.01)", "SELECT smll_maintain(600)")
    assert "attached" in other.error(attach, "SELECT body FROM old.messages WHERE id = 1")
    assert other(attach, "INSERT INTO old.messages (body) VALUES ('plain')", "SELECT body FROM old.messages WHERE id = 201") == [("plain",)]


def test_a_text_changed_while_it_is_compressed(messages):
    messages("PRAGMA journal_mode = WAL", FILL.format(first=201, last=600))
    process = subprocess.Popen(messages.command(".timeout 20000", "SELECT smll_maintain(600)"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    changed = 0
    while process.poll() is None:
        changed += 1
        messages(".timeout 20000", f"UPDATE messages SET body = 'changed {changed}' WHERE id % 100 = {changed % 100}")
    assert process.returncode == 0, process.communicate()
    rows = dict(messages("SELECT id, body FROM messages"))
    for n in range(1, 601):
        last = max((k for k in range(1, changed + 1) if k % 100 == n % 100), default=None)
        assert rows[n] == (texts(1, n)[0] if last is None else f"changed {last}")


def test_killed_at_any_moment(messages):
    """Nothing is lost, whatever the moment, and what was done stays done."""
    messages("PRAGMA journal_mode = WAL", FILL.format(first=201, last=800))
    expected = [(n, text) for n, text in enumerate(texts(800, 1), 1)]
    generator, compressed, killed = random.Random(27), 0, 0
    for _ in range(10):
        process = subprocess.Popen(messages.command("SELECT smll_maintain(600)"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.wait(generator.uniform(0.05, 0.7))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        assert process.communicate()[1] == b""
        now, = messages("SELECT count(*) FROM _messages_smll WHERE _body_smll = 1")[0]
        assert now >= compressed
        compressed = now
    assert killed > 0
    assert messages("PRAGMA integrity_check") == [("ok",)]
    assert messages("SELECT id, body FROM messages ORDER BY id") == expected
    assert messages("SELECT smll_maintain(600)") == [(0,)]
    assert messages("SELECT id, body FROM messages ORDER BY id") == expected


def test_interrupted(messages):
    messages("PRAGMA journal_mode = WAL", FILL.format(first=201, last=20000))
    process = subprocess.Popen(messages.command("SELECT smll_maintain(600)"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not states(messages).get(1) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert out == "" and "interrupted" in error
    now = states(messages)
    assert now[1] >= 64 and now["waits"] > 0
    assert messages("SELECT body FROM messages WHERE id = 5") == [(texts(1, 5)[0],)]


def test_python_says_where_it_is(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(EXTENSION.parent.parent)}
    done = subprocess.run([sys.executable, "-m", "smll", "sqlite"], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(EXTENSION))
    assert subprocess.run([sys.executable, "-m", "smll", "sqlite", "x"], env=environment, cwd=tmp_path, capture_output=True).returncode == 2


def python_with_extensions():
    """A Python of this version whose sqlite3 loads extensions: not every one does."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = "import sqlite3, sys; sys.exit(not hasattr(sqlite3.Connection, 'enable_load_extension') or sys.version_info[:2] != %r)"
        if os.path.exists(python) and subprocess.run([python, "-c", check % (sys.version_info[:2],)]).returncode == 0:
            return python
    pytest.skip("no Python of this version is here whose sqlite3 loads extensions")


PYTHON = """
import sqlite3, sys, threading
import smll.sqlite
connection = sqlite3.connect(sys.argv[1])
smll.sqlite.load(connection)
try:
    connection.load_extension("x")
    sys.exit("extensions can be loaded still")
except sqlite3.OperationalError as error:
    assert "not authorized" in str(error)
assert connection.execute("SELECT smll_maintain(600)").fetchone() == (0,)
bodies = [body for (body,) in connection.execute("SELECT body FROM messages ORDER BY id")]
with connection:
    connection.execute("INSERT INTO messages (body) VALUES (?)", ("from Python",))
assert connection.execute("SELECT body FROM messages ORDER BY id DESC").fetchone() == ("from Python",)
try:
    connection.execute("SELECT smll_decompress(x'f5')")
    sys.exit("no error")
except sqlite3.OperationalError as error:
    print(error, file=sys.stderr)
connection.close()
again = sqlite3.connect(sys.argv[1])
smll.sqlite.load(again)
assert [body for (body,) in again.execute("SELECT body FROM messages ORDER BY id")][:-1] == bodies
print(len(bodies))
"""


def test_python(messages, tmp_path):
    python = python_with_extensions()
    environment = {**os.environ, "PYTHONPATH": str(EXTENSION.parent.parent)}
    done = subprocess.run([python, "-c", PYTHON, str(messages.path)], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "200"), done.stderr


def test_make_install_has_it(tmp_path):
    done = subprocess.run(["cmake", "--install", str(EXTENSION.parent.parent.parent), "--prefix", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (installed,) = tmp_path.glob("lib*/**/smll_sqlite.so")
    done = subprocess.run([PROGRAM, ":memory:", f".load {installed}", "SELECT smll_info(x'8000')"], capture_output=True, text=True, cwd=ROOT)
    assert "compact" in done.stdout, done.stderr
