"""Fixtures of the integrations' tests: `make integrations` runs them, in an environment of their own."""

import os

import pytest
from conftest import BUILD, lines

PACKAGE = os.environ.get("SMLL_PYTHONPATH", str(BUILD / "python"))
RECORDS = int(os.environ.get("SMLL_RECORDS", "5000"))


@pytest.fixture(scope="session")
def records():
    """So many records, all different, as in a log."""
    words = lines(30 * RECORDS).replace(b"\n", b" ")
    return [f"{i} {words[30 * i : 30 * i + 10 + i % 20].decode()}" for i in range(RECORDS)]


@pytest.fixture(scope="session")
def expected(records, test_model):
    """What one process makes of them."""
    import smll

    return smll.Compressor(test_model).compress_many(records)


@pytest.fixture(scope="session", autouse=True)
def workers_find_the_package():
    here = os.path.dirname(__file__)  # what tests give workers to do
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (PACKAGE, here, os.environ.get("PYTHONPATH"))))
