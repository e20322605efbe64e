"""`smll bench` and `smll explain` ran whatever package named smll lay in the current directory."""


def test_current_directory_is_not_searched(smll):
    smll.write("smll/__init__.py", b"")
    smll.write("smll/__main__.py", b"def main(arguments):\n    return 42\n")
    assert b"usage" in smll("bench", "--help").stdout
