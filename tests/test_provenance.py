"""What a model was fitted on: planted counts come out, and a file's are looked at."""

import platform

import numpy as np
import pytest
import sklearn
import torch

import stf2m_sk
from stf2m_sk.provenance import provenance_of, restored
from stf2m_sk.views import Views

GOOD = {"n_people": 2, "n_clips": [3, 1], "n_measured": [4, 2, 0], "versions": {"torch": "2"}}


class TestProvenanceOf:
    def test_counts(self):
        eda, pulse = np.zeros((5, 1, 6)), np.zeros((5, 2, 3))
        eda[[0, 3]] = np.nan
        pulse[4, :, 1:] = np.nan  # a part of a clip is still measured
        pulse[1, 0] = np.nan  # as is one with a channel
        views = Views({"eda": eda, "pulse": pulse})
        codes, people = np.array([0, 1, 1, 2, 1]), np.array([7, 7, 2, 9, 2])
        found = provenance_of(views, codes, people)
        assert found.n_people == 3
        assert found.n_clips == (1, 3, 1)
        assert found.n_measured == (3, 5)
        assert provenance_of(views, codes, None).n_people is None

    def test_versions(self):
        found = provenance_of(Views({"a": np.zeros((1, 1, 1))}), np.array([0]), None).versions
        assert found == {
            "stf2m_sk": stf2m_sk.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        }
        assert {type(version) for version in found.values()} == {str}

    def test_is_kept_by_adapt_and_partial_fit(self, fitted, people):
        before = fitted.model_.provenance
        adapted = fitted.adapt(people.new_views, people.new_target)
        fitted.partial_fit(people.new_views, people.new_target)
        assert adapted.model_.provenance == fitted.model_.provenance == before


class TestRestored:
    def test_what_fits(self):
        found = restored(GOOD, 2, 3)
        assert found == (2, (3, 1), (4, 2, 0), {"torch": "2"})
        assert restored(GOOD | {"n_people": None}, 2, 3).n_people is None

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"n_people": 0}, ValueError, "counts 0 people in 4 clips"),
            ({"n_people": 5}, ValueError, "counts 5 people in 4 clips"),
            ({"n_people": "2"}, TypeError, "str"),
            ({"n_clips": [4]}, ValueError, r"clips of classes are \(4,\), expected 2 counts"),
            ({"n_clips": [4, 0]}, ValueError, "contradict"),
            ({"n_clips": [4.0, 1.0]}, TypeError, "float"),
            ({"n_measured": [5, 0, 0]}, ValueError, "contradict"),
            ({"n_measured": [-1, 0, 0]}, ValueError, "clips of modalities are"),
            ({"versions": {"torch": 2}}, TypeError, "versions are no texts"),
            ({"more": 1}, TypeError, "unexpected"),
        ],
    )
    def test_what_does_not(self, change, error, message):
        with pytest.raises(error, match=message):
            restored(GOOD | change, 2, 3)
