"""One recording in every form, number type and memory layout of X: the same answers, pairwise."""

import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from stf2m_sk import PersonalisedClassifier, Views

SCHEMA = {
    "skin": {"n_channels": 1, "n_timesteps": 10, "rate": 4.0},
    "heart": {"n_channels": 2, "n_timesteps": 10, "rate": 4.0},
}
NAMES = [f"value {i}" for i in range(30)]


def containers(X):
    """The recording in every container, from one array of three channels."""
    parts = {"skin": X[:, :1], "heart": X[:, 1:]}
    flat = X.reshape(len(X), -1)
    return {
        "Views": Views(parts, rates={"skin": 4, "heart": 4}),
        "dict": dict(reversed(parts.items())),
        "list": list(parts.values()),
        "tuple": tuple(parts.values()),
        "3-D": X,
        "flat": flat,
        "DataFrame": pd.DataFrame(flat, columns=NAMES),
        "DataFrame by column": pd.DataFrame(dict(zip(NAMES, flat.T, strict=True))),
        "polars": pl.DataFrame(dict(zip(NAMES, flat.T, strict=True))),
    }


def layouts(X, path):
    """The recording in memory that is read only, in another order, or has gaps."""
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap) and not mapped.flags.writeable
    wide = np.repeat(np.repeat(X, 2, axis=0), 2, axis=2)
    frozen = X.copy()
    frozen.flags.writeable = False
    # The bytes of every number the other way round.
    swapped = X.astype(X.dtype.newbyteorder())
    return {
        "memmap": mapped,
        "flat memmap": mapped.reshape(len(X), -1),
        "dict of memmaps": {"skin": mapped[:, :1], "heart": mapped[:, 1:]},
        "Fortran order": np.asfortranarray(X),
        "flat Fortran order": np.asfortranarray(X.reshape(len(X), -1)),
        "with strides": wide[::2, :, ::2],
        "backwards": X[::-1].copy()[::-1],
        "read only": frozen,
        "other byte order": swapped,
    }


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Whole numbers from -4 to 4, in every form; those of two states differ in one channel."""
    generator = np.random.default_rng(6)
    y = np.tile(["calm", "tense"], 10)
    X = generator.integers(-3, 3, size=(20, 3, 10))
    X[y == "tense", 2] += 2
    double = X.astype(np.float64)
    folder = tmp_path_factory.mktemp("forms")
    exact = containers(double) | layouts(double, folder / "double.npy")
    exact |= {"int64": X.astype(np.int64), "int32": X.astype(np.int32)}  # these become float64
    exact["flat int64"] = X.reshape(20, -1)
    exact["DataFrame of int64"] = pd.DataFrame(X.reshape(20, -1), columns=NAMES)
    exact["objects"] = double.astype(object)
    exact["rows of integers"] = X.reshape(20, -1).tolist()
    single = X.astype(np.float32)
    rough = {f"{name}, float32": form for name, form in containers(single).items()}
    rough |= {f"{n}, float32": form for n, form in layouts(single, folder / "single.npy").items()}
    rough |= {"int16": X.astype(np.int16), "int8": X.astype(np.int8), "float16": X.astype("f2")}
    return exact, rough, y


EXACT = [
    *["Views", "dict", "list", "tuple", "3-D", "flat", "DataFrame", "DataFrame by column"],
    *["polars", "memmap", "flat memmap", "dict of memmaps", "Fortran order"],
    *["flat Fortran order", "with strides", "backwards", "read only", "other byte order"],
    *["int64", "int32", "flat int64", "DataFrame of int64", "objects", "rows of integers"],
]
ROUGH = [f"{name}, float32" for name in EXACT[:18]] + ["int16", "int8", "float16"]


@pytest.fixture(scope="module")
def of_form(recording, quick):
    """A function from the name of a form to a classifier fitted on it."""
    exact, rough, y = recording
    return functools.cache(lambda name: quick(schema=SCHEMA).fit((exact | rough)[name], y))


@pytest.fixture(scope="module")
def answers(recording, of_form):
    """What the classifier fitted on Views of float64 says, before and after a support."""
    X, y = recording[0]["Views"], recording[2]
    classifier = of_form("Views")
    adapted = classifier.adapt(X[:6], y[:6]), classifier.adapt(unlabelled=X[:6])
    return [c.predict_proba(X) for c in (classifier, *adapted)]


def support(X):
    """The first six clips of X."""
    if isinstance(X, dict):
        return {name: array[:6] for name, array in X.items()}
    if isinstance(X, list | tuple) and isinstance(X[0], np.ndarray):
        return type(X)(array[:6] for array in X)
    return X[:6]


def test_the_lists_here_name_all_forms(recording, answers):
    assert list(recording[0]) == EXACT
    assert list(recording[1]) == ROUGH
    assert answers[0].dtype == np.float64
    assert np.ptp(answers[0][:, 0]) > 1e-3  # it tells clips apart
    assert np.abs(answers[0] - answers[1]).max() > 1e-3


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
class TestPairs:
    @pytest.mark.parametrize("at_fit", ["Views", "list", "3-D", "DataFrame"])
    def test_fitted_in_one_form_and_asked_in_all_others(self, recording, of_form, answers, at_fit):
        exact, rough, _ = recording
        classifier = of_form(at_fit)
        for name, X in exact.items():
            found = classifier.predict_proba(X)
            assert_array_equal(found, answers[0], err_msg=name)
        of_singles = None
        for name, X in rough.items():
            found = classifier.predict_proba(X)
            assert found.dtype == np.float32, name
            of_singles = found if of_singles is None else of_singles
            assert_array_equal(found, of_singles, err_msg=name)  # exact among themselves
            assert_allclose(found, answers[0], rtol=0, atol=1e-5, err_msg=name)

    @pytest.mark.parametrize("at_fit", EXACT + ROUGH)
    def test_fitted_in_any_form(self, recording, of_form, answers, at_fit):
        found = of_form(at_fit).predict_proba(recording[0]["Views"])
        assert_array_equal(found, answers[0])

    @pytest.mark.parametrize("of_support", EXACT + ROUGH)
    def test_adapted_in_any_form(self, recording, of_form, answers, of_support):
        exact, rough, y = recording
        few = support((exact | rough)[of_support])
        found = of_form("Views").adapt(few, y[:6]).predict_proba(exact["Views"])
        assert_allclose(found, answers[1], rtol=0, atol=1e-5 if of_support in rough else 0)
        own = of_form("Views").adapt(unlabelled=few).predict_proba(exact["Views"])
        assert_allclose(own, answers[2], rtol=0, atol=1e-5 if of_support in rough else 0)

    @pytest.mark.parametrize("at_fit", EXACT)
    def test_personalised_on_clips_in_one_form(self, recording, of_form, answers, at_fit):
        exact, _, y = recording
        few = support(exact[at_fit])
        person = PersonalisedClassifier(of_form("Views")).fit(few, y[:6])
        assert_array_equal(person.predict_proba(exact["Views"]), answers[1])


class TestMissingValues:
    def test_in_every_container(self, quick):
        generator = np.random.default_rng(3)
        X = generator.normal(size=(16, 3, 10))
        X[2, 0] = np.nan
        X[5, :, 7:] = np.nan
        X[9, 1:, 2] = np.nan
        y = np.tile([0, 1], 8)
        fitted = quick(schema=SCHEMA).fit(containers(X)["Views"], y)
        expected = fitted.predict_proba(X)
        for name, form in containers(X).items():
            again = quick(schema=SCHEMA).fit(form, y)
            assert_array_equal(again.predict_proba(form), expected, err_msg=name)
