"""Where smll was built without llama.cpp, `smll models info` failed with exit status 2 instead of describing the model and
saying that the other backend is missing.
"""


def test_models_info(smll, test_model):
    shown = smll("models", "info", test_model).stdout.decode()
    assert "backend exact" in shown and "llama" in shown
