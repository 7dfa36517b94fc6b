"""scikit-learn's own checks of every public estimator, and the table in the docs."""

from pathlib import Path

import pytest
from sklearn import __version__ as sklearn_version

from stf2m_sk import STF2MClassifier
from stf2m_sk.compliance import ESTIMATORS, check_all
from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.preprocessing import ViewScaler

N_CHECKS = {  # that pass; a newer scikit-learn also has some that it skips
    "STF2MClassifier": 53,
    "SpatioTemporalEncoder": 46,
    "FuzzyRuleTransformer": 45,
    "FuzzyPatternTransformer": 45,
    "ViewScaler": 45,
    "ViewSelector": 45,
    "ViewResampler": 45,
}
NAMES = [kind.__name__ for kind in ESTIMATORS]


def small(kind):
    """An estimator with parameters that change how long the checks take, and nothing else."""
    classifier = STF2MClassifier(
        n_kernels=20, n_patterns=8, n_networks=2, hidden_dim=8, max_epochs=1
    )
    if kind is STF2MClassifier:
        return classifier
    return kind(classifier) if kind is SpatioTemporalEncoder else kind()


@pytest.fixture(scope="module")
def compliance():
    return check_all([small(kind) for kind in ESTIMATORS])


@pytest.mark.parametrize("name", NAMES)
class TestEveryEstimator:
    def test_passes_all_checks(self, compliance, name):
        rows = compliance.results[name]
        failed = [
            (row["check_name"], row["exception"]) for row in rows if row["status"] == "failed"
        ]
        assert failed == []
        assert not any(row["expected_to_fail"] for row in rows)
        # Only SciPy's array API, which has to be switched on from outside, is skipped.
        skipped = {row["check_name"] for row in rows if row["status"] == "skipped"}
        assert skipped <= {"check_array_api_input"}

    def test_is_asked_as_much_as_it_should_be(self, compliance, name):
        assert compliance.count(name)["passed"] == N_CHECKS[name]

    def test_weakens_no_tag(self, name):
        estimator = {kind.__name__: kind for kind in ESTIMATORS}[name]()
        tags = estimator.__sklearn_tags__()
        assert tags.input_tags.two_d_array
        assert tags.input_tags.allow_nan
        assert tags.input_tags.three_d_array == (name != "FuzzyRuleTransformer")
        assert not tags.non_deterministic
        assert not tags._skip_test


def test_a_failure_is_shown():
    class Forgetful(ViewScaler):
        def fit(self, X, y=None):
            return None

    table = check_all([Forgetful()])
    assert table.count("Forgetful")["failed"] > 0
    assert "✗" in table.to_markdown()


def test_the_docs_hold_the_table(compliance):
    page = (Path(__file__).parents[1] / "docs" / "compliance.md").read_text(encoding="utf-8")
    if f" {sklearn_version} " not in page.replace("\n", " "):
        pytest.skip(f"the page is of another version of scikit-learn than {sklearn_version}")
    assert page == compliance.to_markdown()
