"""STF2MClassifier: what it refuses, in what words, and that a refusal changes nothing."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from stf2m_sk import Views


def with_value(X, value, clip=3):
    """The clips with one of them replaced by a value."""
    changed = X.copy()
    changed[clip] = value
    return changed


def named(arguments, cases):
    """Parametrize by a dict of name to case."""
    return pytest.mark.parametrize(arguments, cases.values(), ids=cases)


VERBS = ["fit", "adapt", "unlabelled", "partial_fit", "predict"]


def call(classifier, verb, X, y):
    """Use any verb in the same way."""
    if verb == "predict":
        return classifier.predict(X)
    if verb == "unlabelled":
        return classifier.adapt(unlabelled=X)
    return getattr(classifier, verb)(X, y)


BAD_X = {
    "one dimension": (lambda X: X[:, 0, 0], ValueError, r"Expected a 2-D or 3-D X.*\(24,\)"),
    "four dimensions": (lambda X: X[None], ValueError, r"given the shape \(1, 24, 2, 12\)"),
    "no clips": (lambda X: X[:0], ValueError, r"Found array with 0 sample\(s\).*X has no clips"),
    "no clips in Views": (
        lambda X: Views({"signal": X})[:0],
        ValueError,
        r"Found array with 0 sample\(s\)",
    ),
    "no frames": (lambda X: X[:, :, :0], ValueError, "n_timesteps must be at least 1, given 0"),
    "infinite": (
        lambda X: with_value(X, np.inf),
        ValueError,
        "modality 'signal', clip 3, channel 0, time step 0: infinite value",
    ),
    "nothing measured in a clip": (
        lambda X: with_value(X, np.nan),
        ValueError,
        r"^1 clip\(s\) hold no measured value in any modality.*the first is clip 3",
    ),
    "complex": (lambda X: X + 1j, ValueError, "Complex data not supported"),
    "words": (
        lambda X: np.full(X.shape, "loud", dtype=object),
        ValueError,
        "expected real numbers: could not convert string to float: 'loud'",
    ),
    "text": (lambda X: X.astype(str), ValueError, "expected real numbers, given dtype"),
    "ragged": (
        lambda X: {"signal": [clip[:, : 5 + i % 2] for i, clip in enumerate(X)]},
        ValueError,
        "pad shorter clips with NaN to one length",
    ),
    "a list of Views": (
        lambda X: [Views({"signal": X})],
        TypeError,
        r"join them with Views.concatenate\(X\)",
    ),
    "an empty mapping": (lambda X: {}, ValueError, "expected at least one modality"),
    "an empty list": (lambda X: [], ValueError, r"Expected a 2-D or 3-D X.*\(0,\)"),
    "None": (lambda X: None, ValueError, r"Expected a 2-D or 3-D X.*\(\)"),
    "a number": (lambda X: 3.0, ValueError, r"Expected a 2-D or 3-D X.*\(\)"),
    "a word": (lambda X: "clips", ValueError, r"Expected a 2-D or 3-D X.*\(\)"),
}

BAD_Y = {
    "None": (lambda y: None, ValueError, "requires y to be passed, but the target y is None"),
    "too few": (lambda y: y[:-1], ValueError, "X has 24 clips, y has 23 labels"),
    "empty": (lambda y: y[:0], ValueError, r"Found array with 0 sample\(s\)"),
    "two columns": (
        lambda y: np.stack([y, y], axis=1),
        ValueError,
        r"y should be a 1d array, got an array of shape \(24, 2\)",
    ),
    "one label": (lambda y: "calm", ValueError, r"y should be a 1d array"),
    "continuous": (
        lambda y: np.linspace(0, 1, 24),
        ValueError,
        "Unknown label type: continuous",
    ),
    "NaN": (
        lambda y: with_value(np.arange(24.0) % 2, np.nan),
        ValueError,
        r"y holds NaN or None at 1 place\(s\), the first at clip 3",
    ),
    "a label of None": (
        lambda y: with_value(with_value(y.astype(object), None), None, clip=7),
        ValueError,
        r"y holds NaN or None at 2 place\(s\), the first at clip 3",
    ),
    "a missing entry of pandas": (
        lambda y: pd.Series(with_value(y.astype(object), pd.NA), dtype="string"),
        ValueError,
        r"y holds NaN or None at 1 place\(s\), the first at clip 3",
    ),
    "text and numbers": (
        lambda y: with_value(y.astype(object), 1),
        (TypeError, ValueError),
        "text and numbers|cannot be mixed",
    ),
    "bytes": (lambda y: y.astype("S"), TypeError, "labels represented as bytes"),
}


class TestX:
    @pytest.mark.parametrize("verb", VERBS)
    @named(("make", "error", "message"), BAD_X)
    def test_is_refused(self, refuses, fitted_on_array, arrays, verb, make, error, message):
        X = make(arrays.X)
        if X is None and verb in ("adapt", "unlabelled"):
            error, message = (TypeError, ValueError), "X and y belong together|adapt got no clip"
        refuses(fitted_on_array, error, message, lambda: call(fitted_on_array, verb, X, arrays.y))

    def test_sparse(self, refuses, quick, arrays):
        classifier = quick().fit(arrays.X[:, :, 0], arrays.y)
        X = csr_array(arrays.X[:, :, 0])
        for verb in VERBS:
            refuses(
                classifier,
                TypeError,
                "Sparse data was passed for X, but dense data is required",
                lambda verb=verb: call(classifier, verb, X, arrays.y),
            )

    @pytest.mark.parametrize("make", [make for make, _, _ in BAD_X.values()], ids=BAD_X)
    def test_unfitted_stays_unfitted(self, quick, arrays, make):
        classifier = quick()
        with pytest.raises((ValueError, TypeError)):
            classifier.partial_fit(make(arrays.X), arrays.y)
        assert vars(classifier) == vars(quick())


class TestXOfAnotherKindThanAtFit:
    @pytest.mark.parametrize("verb", VERBS[1:])
    @named(
        ("make", "message"),
        {
            "unknown modality": (
                lambda views: {"skin": views["skin"], "heart": views["pulse"]},
                r"unknown modalities \['heart'\]; the schema has \['skin', 'pulse'\]",
            ),
            "other channels": (
                lambda views: {"skin": np.repeat(views["skin"], 2, axis=1)},
                "modality 'skin': given 2 channels, expected 1",
            ),
            "other rate": (
                lambda views: Views({"skin": views["skin"]}, rates={"skin": 8}),
                "modality 'skin': given a rate of 8 Hz, expected 4 Hz; resample it first",
            ),
            "other features": (
                lambda views: np.asarray(views)[:, :-1],
                r"X has 39 features, but \w+ is expecting 40 features as input",
            ),
            "fewer arrays": (
                lambda views: [views["skin"]],
                r"X is a list of 1 modalities, but the schema has 2: \['skin', 'pulse'\]",
            ),
            "other channels in a 3-D array": (
                lambda views: np.repeat(views["skin"], 3, axis=1),
                "X has 3 channels, but the schema has 2",
            ),
        },
    )
    def test_is_refused(self, refuses, fitted, people, verb, make, message):
        X = make(people.new_views)
        refuses(fitted, ValueError, message, lambda: call(fitted, verb, X, people.new_target))

    def test_other_columns(self, refuses, quick, arrays):
        frame = pd.DataFrame(arrays.X[:, :, 0], columns=["a", "b"])
        classifier = quick().fit(frame, arrays.y)
        for columns in (["b", "a"], ["a", "c"]):
            other = frame.set_axis(columns, axis=1)
            for verb in VERBS[1:]:
                refuses(
                    classifier,
                    ValueError,
                    "The feature names should match those that were passed during fit",
                    lambda verb=verb, other=other: call(classifier, verb, other, arrays.y),
                )


class TestY:
    @pytest.mark.parametrize("verb", ["fit", "adapt", "partial_fit"])
    @named(("make", "error", "message"), BAD_Y)
    def test_is_refused(self, refuses, fitted_on_array, arrays, verb, make, error, message):
        y = make(arrays.y)
        if y is None and verb == "adapt":
            error, message = TypeError, "X and y belong together"
        refuses(fitted_on_array, error, message, lambda: call(fitted_on_array, verb, arrays.X, y))

    def test_one_class_only(self, refuses, fitted_on_array, arrays):
        refuses(
            fitted_on_array,
            ValueError,
            "y holds one class only .*'calm'.* takes at least 2 classes",
            lambda: fitted_on_array.fit(arrays.X, ["calm"] * 24),
        )

    @pytest.mark.parametrize("verb", ["adapt", "partial_fit"])
    def test_numbers_are_no_labels_of_a_population_of_text(
        self, refuses, fitted_on_array, arrays, verb
    ):
        y = np.repeat([0, 1], 12)
        message = "Labels of .* and int64 cannot be mixed"
        call_it = getattr(fitted_on_array, verb)
        refuses(fitted_on_array, TypeError, message, lambda: call_it(arrays.X, y))

    def test_numbers_are_not_joined_to_text(self, refuses, fitted_on_array, arrays):
        refuses(
            fitted_on_array,
            TypeError,
            "Labels of .* and int64 cannot be mixed; give all as text or all as numbers",
            lambda: fitted_on_array.partial_fit(arrays.X[:2], [1, 2]),
        )

    @pytest.mark.parametrize("dtype", [str, object])
    def test_text_is_not_joined_to_numbers(self, refuses, quick, arrays, dtype):
        classifier = quick().fit(arrays.X, np.repeat([0, 1], 12))
        refuses(
            classifier,
            TypeError,
            "cannot be mixed; give all as text or all as numbers",
            lambda: classifier.partial_fit(arrays.X, arrays.y.astype(dtype)),
        )

    def test_numbers_as_further_classes_of_text(self, refuses, fitted_on_array, arrays):
        refuses(
            fitted_on_array,
            TypeError,
            "Labels of .* and int64 cannot be mixed",
            lambda: fitted_on_array.partial_fit(arrays.X, arrays.y, classes=[1, 2]),
        )


class TestClasses:
    @pytest.mark.parametrize("unfitted", [False, True], ids=["adapt", "unfitted partial_fit"])
    def test_must_hold_the_labels(self, refuses, fitted_on_array, quick, arrays, unfitted):
        classifier = quick() if unfitted else fitted_on_array
        verb = classifier.partial_fit if unfitted else classifier.adapt
        refuses(
            classifier,
            ValueError,
            re.escape("y holds labels that `classes` lacks: ['tense']. Add them to `classes`"),
            lambda: verb(arrays.X, arrays.y, classes=["calm", "awe"]),
        )

    @pytest.mark.parametrize("verb", ["adapt", "partial_fit"])
    @pytest.mark.parametrize(
        "classes",
        [[], "calm", ["calm", None], [["calm", "tense"]]],
        ids=["empty", "one label", "None", "two dimensions"],
    )
    def test_the_message_speaks_of_classes(self, refuses, fitted_on_array, arrays, verb, classes):
        refuses(
            fitted_on_array,
            ValueError,
            "classes",
            lambda: getattr(fitted_on_array, verb)(arrays.X, arrays.y, classes=classes),
        )


class TestGroups:
    @named(
        ("groups", "message"),
        {
            "too few": ([1] * 23, "groups has 23 entries for 24 clips"),
            "NaN": ([1.0] * 5 + [np.nan] * 19, "groups holds NaN or None.*the first at clip 5"),
            "None": (["a"] * 23 + [None], "groups holds NaN or None.*the first at clip 23"),
            "a missing entry of pandas": (
                pd.Series([pd.NA] + ["a"] * 23, dtype="string"),
                "groups holds NaN or None.*the first at clip 0",
            ),
            "two columns": (np.zeros((24, 2)), "groups"),
            "one person": ("ann", "groups"),
        },
    )
    def test_are_refused(self, refuses, fitted_on_array, arrays, groups, message):
        refuses(
            fitted_on_array,
            ValueError,
            message,
            lambda: fitted_on_array.fit(arrays.X, arrays.y, groups=groups),
        )


def test_column_names_of_two_kinds_are_refused_before_anything_changes(quick, arrays, refuses):
    classifier = quick().fit(arrays.X[:, :, 0], arrays.y)
    frame = pd.DataFrame(arrays.X[:, :, 0], columns=["eda", 1])
    refuses(classifier, TypeError, "string names", lambda: classifier.fit(frame, arrays.y))
