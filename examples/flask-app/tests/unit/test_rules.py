import pytest

from app.model import Label, Rules

RULES = Rules(
    labels={
        "python": Label("Python source", "text/x-python", True),
        "sql": Label("SQL source", "application/sql", True),
        "zip": Label("Zip archive", "application/zip", False),
        "txt": Label("Generic text document", "text/plain", True),
        "unknown": Label("Unknown binary data", "application/octet-stream", False),
    },
    thresholds={"sql": 0.9},
    default_threshold=0.5,
    overwrite={"randomtxt": "txt"},
)


def test_a_sure_answer_is_given_with_its_description():
    prediction = RULES.decide("python", 0.98)
    assert (prediction.label, prediction.description, prediction.mime_type) == (
        "python",
        "Python source",
        "text/x-python",
    )
    assert prediction.score == 0.98
    assert prediction.confident


@pytest.mark.parametrize(("raw_label", "answered"), [("python", "txt"), ("zip", "unknown")])
def test_an_unsure_answer_only_says_whether_it_is_text(raw_label: str, answered: str):
    prediction = RULES.decide(raw_label, 0.49)
    assert prediction.label == answered
    assert not prediction.confident


@pytest.mark.parametrize(("score", "confident"), [(0.89, False), (0.9, True)])
def test_a_label_may_have_a_threshold_of_its_own(score: float, confident: bool):
    assert RULES.decide("sql", score).confident is confident


def test_the_model_s_configuration_can_answer_with_another_label():
    assert RULES.decide("randomtxt", 0.99).label == "txt"
