"""scikit-learn's own checks of an estimator."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk import STF2MClassifier


@pytest.mark.filterwarnings("ignore")
def test_every_check_passes():
    # The defaults, but for a training that is as short as can be.
    classifier = STF2MClassifier(max_epochs=1, validation_fraction=0)
    results = check_estimator(classifier, on_fail=None)
    assert len(results) > 50
    failed = [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"]
    assert failed == []
    # Only SciPy's array API, which has to be switched on from outside, is skipped.
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}
    assert not any(r["expected_to_fail"] for r in results)
