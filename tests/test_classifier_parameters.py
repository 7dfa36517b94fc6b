"""STF2MClassifier: parameters that make no sense, and use before `fit`."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from stf2m_sk import STF2MClassifier


class TestParameters:
    @pytest.mark.parametrize(
        ("parameter", "value"),
        [
            ("n_kernels", 0),
            ("n_kernels", 2.0),
            ("n_patterns", -1),
            ("n_networks", 1),
            ("n_networks", -2),
            ("hidden_dim", 3),
            ("max_epochs", 0),
            ("learning_rate", 0.0),
            ("view_dropout", -0.1),
            ("view_dropout", 1.0),
            ("support_weight", 0.0),
            ("priors", "uniform"),
            ("precision", "float16"),
            ("schema", "eda"),
            ("callbacks", 3),
            ("checkpoint", 3),
            ("device", 0),
            ("n_threads", 0),
            ("verbose", -1),
            ("random_state", "seed"),
        ],
    )
    def test_out_of_range(self, refuses, fitted_on_array, arrays, parameter, value):
        fitted_on_array.set_params(**{parameter: value})
        refuses(
            fitted_on_array,
            ValueError,
            f"The '{parameter}' parameter of STF2MClassifier must be .* Got {value!r} instead",
            lambda: fitted_on_array.fit(arrays.X, arrays.y),
        )

    @pytest.mark.parametrize(
        ("parameter", "value", "message"),
        [
            ("device", "quantum", "device='quantum' is not a torch device; use 'auto'"),
            ("device", "xla", "device='xla'"),
            ("schema", {"eda": {"channels": 2}}, r"modality 'eda': unknown keys \['channels'\]"),
            ("schema", {"eda": {"n_channels": 3}}, "X has 2 channels, but the schema has 3"),
            ("schema", {}, "expected at least one modality, given none"),
        ],
    )
    def test_that_make_no_sense(self, refuses, fitted_on_array, arrays, parameter, value, message):
        fitted_on_array.set_params(**{parameter: value})
        refuses(
            fitted_on_array,
            ValueError,
            message,
            lambda: fitted_on_array.fit(arrays.X, arrays.y),
        )

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_cuda_where_there_is_none(self, refuses, fitted_on_array, arrays, device):
        fitted_on_array.set_params(device=device)
        refuses(
            fitted_on_array,
            ValueError,
            f"device='{device}', but torch finds no CUDA device; use 'auto' or 'cpu'",
            lambda: fitted_on_array.fit(arrays.X, arrays.y),
        )

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (np.zeros((4, 7)), "X has 7 features, but ViewSchema is expecting 36 features"),
            ({"heart": np.zeros((4, 1, 5))}, "modality 'heart': given 1 channels, expected 2"),
            ({"eda": np.zeros((4, 1, 5))}, r"unknown modalities \['eda'\]; the schema has"),
        ],
    )
    def test_schema_of_other_data(self, quick, X, message):
        schema = {
            "skin": {"n_channels": 1, "n_timesteps": 12},
            "heart": {"n_channels": 2, "n_timesteps": 12},
        }
        with pytest.raises(ValueError, match=message):
            quick(schema=schema).fit(X, [0, 1, 0, 1])


class TestSetAfterFit:
    @pytest.mark.parametrize("use", ["adapt", "partial_fit"])
    def test_is_checked_before_anything_changes(self, fitted, arrays, state_of, use):
        own = copy.copy(fitted).set_params(support_weight=-1.0)
        before = state_of(own)
        with pytest.raises(InvalidParameterError, match="'support_weight' parameter"):
            getattr(own, use)(arrays.X, arrays.y)
        assert state_of(own) == before


class TestBeforeFit:
    @pytest.mark.parametrize(
        "use",
        [
            lambda classifier, X, y: classifier.predict(X),
            lambda classifier, X, y: classifier.predict_proba(X),
            lambda classifier, X, y: classifier.score(X, y),
            lambda classifier, X, y: classifier.adapt(X, y),
            lambda classifier, X, y: classifier.save("nowhere"),
            lambda classifier, X, y: classifier.adapt(unlabelled=X),
            lambda classifier, X, y: classifier.classes_,
            lambda classifier, X, y: classifier.history_,
        ],
        ids=[
            *["predict", "predict_proba", "score", "adapt", "save", "unlabelled"],
            *["classes_", "history_"],
        ],
    )
    def test_is_refused(self, arrays, use, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(NotFittedError, match="This STF2MClassifier instance is not fitted yet"):
            use(STF2MClassifier(), arrays.X, arrays.y)
        assert list(tmp_path.iterdir()) == []

    def test_there_is_no_fitted_attribute(self):
        names = ("classes_", "population_classes_", "schema_", "history_", "n_features_in_")
        assert [name for name in names if hasattr(STF2MClassifier(), name)] == []
