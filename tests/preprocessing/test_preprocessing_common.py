"""What holds for all transformers on views: scikit-learn's checks, forms of X, names, errors."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk import Views
from stf2m_sk.preprocessing import ViewResampler, ViewScaler, ViewSelector

TRANSFORMERS = [ViewScaler(), ViewSelector(), ViewResampler()]
# Each of them with work to do.
BUSY = [ViewScaler(), ViewSelector(drop=["hr"]), ViewResampler(rate={"acc": 4.0, "eda": 4.0})]
SCHEMA = {
    "acc": {"n_channels": 3, "n_timesteps": 32, "rate": 8, "channel_names": ["x", "y", "z"]},
    "eda": {"n_channels": 1, "n_timesteps": 16, "rate": 4},
    "hr": {"n_channels": 1, "n_timesteps": 4, "rate": 1},
}


def named(transformer):
    return type(transformer).__name__


each = pytest.mark.parametrize("transformer", TRANSFORMERS, ids=named)
each_busy = pytest.mark.parametrize("transformer", BUSY, ids=named)


@each
@pytest.mark.filterwarnings("ignore")
def test_every_check_of_scikit_learn_passes(transformer):
    results = check_estimator(transformer, on_fail=None)
    assert len(results) > 40
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"] == []
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}
    assert not any(r["expected_to_fail"] for r in results)


class TestParameters:
    @each
    def test_are_declared_documented_and_keyword_only(self, transformer):
        names = transformer.get_params().keys()
        assert names == type(transformer)._parameter_constraints.keys()
        documented = type(transformer).__doc__.split("Attributes\n")[0]
        assert [name for name in names if f"\n    {name} : " not in documented] == []
        with pytest.raises(TypeError, match="positional argument"):
            type(transformer)("all")

    @pytest.mark.parametrize(
        "wrong",
        [
            ViewScaler(scope="people"),
            ViewScaler(method="mean"),
            ViewScaler(schema=3),
            ViewSelector(keep="acc"),
            ViewSelector(keep=None),
            ViewSelector(drop="acc"),
            ViewResampler(rate="middle"),
            ViewResampler(rate=0),
            ViewResampler(rate=None),
        ],
        ids=repr,
    )
    def test_wrong_ones_are_named(self, wrong, views, unchanged):
        parameter = repr(wrong).split("(")[1].split("=")[0]
        unchanged(
            wrong, f"The '{parameter}' parameter", lambda: wrong.fit(views), InvalidParameterError
        )

    @each
    def test_tags(self, transformer):
        tags = get_tags(transformer)
        assert tags.input_tags.two_d_array
        assert tags.input_tags.three_d_array
        assert tags.input_tags.allow_nan
        assert set(tags.transformer_tags.preserves_dtype) == {"float32", "float64"}


class TestForms:
    @each_busy
    def test_type_out_is_type_in(self, transformer, views):
        expected = clone(transformer).fit_transform(views)
        assert isinstance(expected, Views)
        with_schema = clone(transformer).set_params(schema=SCHEMA)
        arrays = views.to_dict()
        as_dict = clone(with_schema).fit_transform(arrays)
        assert type(as_dict) is dict
        assert list(as_dict) == list(expected.names)
        as_list = clone(with_schema).fit_transform(list(arrays.values()))
        assert type(as_list) is list
        as_tuple = clone(with_schema).fit_transform(tuple(arrays.values()))
        assert type(as_tuple) is tuple
        flat = clone(with_schema).fit_transform(views.to_flat())
        assert type(flat) is np.ndarray
        for found in (as_dict.values(), as_list, as_tuple):
            for array, name in zip(found, expected.names, strict=True):
                assert_array_equal(array, expected[name])
        assert_array_equal(flat, expected.to_flat())

    @each_busy
    def test_3d_array_is_channels_of_modalities(self, transformer):
        signal = np.random.default_rng(0).normal(size=(4, 5, 32))
        schema = {name: {"n_channels": n} for name, n in (("acc", 3), ("eda", 1), ("hr", 1))}
        for entry in schema.values():
            entry["rate"] = 8
        found = clone(transformer).set_params(schema=schema).fit_transform(signal)
        assert type(found) is np.ndarray
        by_name = clone(transformer).set_params(schema=schema)
        parts = {"acc": signal[:, :3], "eda": signal[:, 3:4], "hr": signal[:, 4:]}
        expected = list(by_name.fit_transform(parts).values())
        longest = max(array.shape[2] for array in expected)
        padded = [
            np.pad(
                array,
                [(0, 0), (0, 0), (0, longest - array.shape[2])],
                constant_values=np.nan,
            )
            for array in expected
        ]
        assert_array_equal(found, np.concatenate(padded, axis=1))

    @each_busy
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype_is_kept(self, transformer, views, dtype):
        given = views.astype(dtype)
        assert clone(transformer).fit_transform(given).dtype == dtype
        flat = clone(transformer).set_params(schema=SCHEMA).fit_transform(given.to_flat())
        assert flat.dtype == dtype

    @each
    def test_integers_become_as_in_as_views(self, transformer):
        X = np.arange(12).reshape(4, 3)
        assert clone(transformer).fit_transform(X).dtype == np.float64
        assert clone(transformer).fit_transform(X.astype(np.int16)).dtype == np.float32

    @each_busy
    def test_rates_and_channel_names_are_kept(self, transformer, views):
        found = clone(transformer).fit_transform(views).schema
        assert found["acc"].channel_names == ("x", "y", "z")
        assert found["eda"].rate == 4

    @each_busy
    def test_absent_modalities_stay_absent_and_order_is_that_of_x(self, transformer, views):
        fitted = clone(transformer).fit(views)
        whole = fitted.transform(views)
        part = fitted.transform(views.select("eda", "acc"))
        assert part.names == ("eda", "acc")
        for name in part.names:
            assert_array_equal(part[name], whole[name])
        assert list(fitted.transform({"eda": views["eda"]})) == ["eda"]

    @each_busy
    def test_the_given_clips_are_not_changed(self, transformer, views):
        before = copy.deepcopy(views)
        clone(transformer).fit_transform(views)
        assert views.equals(before)


class TestLaws:
    @each_busy
    @pytest.mark.parametrize("clips", [[3], [5, 0, 2], slice(1, 4)], ids=repr)
    def test_a_clip_does_not_depend_on_its_neighbours(self, transformer, views, clips):
        fitted = clone(transformer).fit(views)
        assert fitted.transform(views[clips]).equals(fitted.transform(views)[clips])

    @each_busy
    def test_copies_answer_alike(self, transformer, views):
        fitted = clone(transformer).fit(views)
        for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
            assert again.transform(views).equals(fitted.transform(views))
        assert not hasattr(clone(fitted), "schema_")

    @each_busy
    def test_fit_again_forgets_the_first(self, transformer, views):
        twice = clone(transformer).set_params(schema=SCHEMA)
        twice.fit(pd.DataFrame(views.to_flat(), columns=map(str, range(116))))
        assert hasattr(twice, "feature_names_in_")
        twice.fit(views[:3].to_dict())
        once = clone(transformer).set_params(schema=SCHEMA).fit(views[:3].to_dict())
        assert vars(twice).keys() == vars(once).keys()
        assert once.transform(views).equals(twice.transform(views))


class TestNames:
    @each
    def test_of_a_table_are_kept(self, transformer):
        table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]})
        fitted = clone(transformer).fit(table)
        assert fitted.feature_names_in_.tolist() == ["a", "b"]
        assert fitted.n_features_in_ == 2
        assert fitted.get_feature_names_out().tolist() == ["a", "b"]
        fitted.fit(table.to_numpy())
        assert fitted.get_feature_names_out().tolist() == ["x0", "x1"]
        with pytest.raises(ValueError, match="input_features should have length equal"):
            fitted.get_feature_names_out(["a"])

    @pytest.mark.parametrize(
        ("transformer", "count", "first", "last"),
        [
            (ViewScaler(), 116, "acc_x_0", "hr_0_3"),
            (ViewSelector(keep=["hr", "eda"]), 20, "hr_0_0", "eda_0_15"),
            (ViewResampler(), 20, "acc_x_0", "hr_0_3"),
        ],
        ids=["ViewScaler", "ViewSelector", "ViewResampler"],
    )
    def test_of_the_flat_form(self, transformer, count, first, last, views):
        fitted = clone(transformer).set_params(schema=SCHEMA).fit(views.to_flat())
        names = fitted.get_feature_names_out().tolist()
        assert (len(names), names[0], names[-1]) == (count, first, last)
        assert fitted.transform(views.to_flat()).shape[1] == count
        assert clone(transformer).fit(views).get_feature_names_out().tolist() == names

    def test_given_columns_are_followed(self, views):
        columns = [f"c{i}" for i in range(116)]
        table = pd.DataFrame(views.to_flat(), columns=columns)
        names = {
            named(t): clone(t).set_params(schema=SCHEMA).fit(table).get_feature_names_out().tolist()
            for t in [*BUSY[:1], ViewSelector(keep=["hr", "eda"]), ViewResampler(rate={"hr": 2})]
        }
        assert names["ViewScaler"] == columns
        assert names["ViewSelector"] == columns[112:] + columns[96:112]
        assert names["ViewResampler"][-8:] == [f"hr_0_{i}" for i in range(8)]

    def test_of_columns_that_are_not_those_of_x(self):
        fitted = ViewScaler().fit(np.ones((2, 3, 4)))
        assert fitted.n_features_in_ == 3
        assert fitted.get_feature_names_out().tolist()[:5] == [
            *(f"signal_0_{i}" for i in range(4)),
            "signal_1_0",
        ]
        with pytest.raises(ValueError, match="3 names for the 12 columns of the flat form"):
            fitted.get_feature_names_out(["a", "b", "c"])


class TestSetOutput:
    @each_busy
    def test_makes_a_frame_of_2d_output_only(self, transformer, views):
        fitted = clone(transformer).set_params(schema=SCHEMA).set_output(transform="pandas")
        table = pd.DataFrame(views.to_flat(), index=list("uvwxyz"))
        frame = fitted.fit_transform(table)
        assert isinstance(frame, pd.DataFrame)
        assert frame.index.tolist() == list("uvwxyz")
        assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
        pd.testing.assert_frame_equal(fitted.transform(table), frame)
        plain = clone(transformer).set_params(schema=SCHEMA).fit_transform(views)
        for output in (fitted.fit_transform(views), fitted.transform(views)):
            assert output.equals(plain)
        assert type(fitted.transform(views.to_dict())) is dict
        assert type(fitted.transform(list(views.to_dict().values()))) is list

    @each
    def test_leaves_3d_arrays_and_the_global_setting_alone(self, transformer):
        signal = np.random.default_rng(0).normal(size=(4, 2, 8))
        with sklearn.config_context(transform_output="pandas"):
            assert type(clone(transformer).fit_transform(signal)) is np.ndarray
            assert type(clone(transformer).fit(signal).transform(signal.tolist())) is np.ndarray
            assert type(clone(transformer).fit_transform(signal[:, :, 0])) is pd.DataFrame

    @each
    def test_an_unknown_container_is_an_error(self, transformer):
        wrong = clone(transformer).set_output(transform="cudf").fit(np.ones((3, 2)))
        with pytest.raises(ValueError, match="output config must be in"):
            wrong.transform(np.ones((3, 2)))


class TestErrors:
    @each
    def test_not_fitted(self, transformer, views):
        for call in (lambda t: t.transform(views), lambda t: t.get_feature_names_out()):
            with pytest.raises(NotFittedError, match="is not fitted yet"):
                call(clone(transformer))

    @each
    @pytest.mark.filterwarnings("ignore:X does not have valid feature names")
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (np.array([[1.0, np.inf]]), "infinite value"),
            (np.ones((0, 2)), "Found array with 0 sample"),
            (np.ones(3), "Expected a 2-D or 3-D X"),
            ({"hr": np.ones((2, 3))}, "expected an array of shape"),
            (pd.DataFrame({"a": [1.0], 3: [2.0]}), "column names"),
        ],
        ids=["infinite", "empty", "1-D", "2-D modality", "mixed names"],
    )
    def test_wrong_x_leaves_the_fit_as_it_was(self, transformer, wrong, message, unchanged):
        table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
        fitted = clone(transformer).fit(table)
        unchanged(fitted, message, lambda: fitted.fit(wrong), (ValueError, TypeError))
        unchanged(fitted, ".", lambda: fitted.transform(wrong), (ValueError, TypeError))
        new = clone(transformer)
        unchanged(new, message, lambda: new.fit(wrong), (ValueError, TypeError))

    @each
    def test_what_differs_from_fit(self, transformer, views):
        fitted = clone(transformer).fit(views)
        wrong = {
            r"unknown modalities \['eeg'\]": {"eeg": np.ones((1, 1, 1))},
            "given 2 channels, expected 3": {"acc": np.ones((1, 2, 1))},
            "given a rate of 2 Hz, expected 1 Hz": Views({"hr": [[[1.0]]]}, rates={"hr": 2}),
            "X has 3 features": np.ones((1, 3)),
        }
        for message, X in wrong.items():
            with pytest.raises(ValueError, match=message):
                fitted.transform(X)


class TestComposition:
    @each
    def test_column_transformer_and_union(self, transformer):
        X = np.random.default_rng(0).normal(2.0, 3.0, size=(9, 4))
        left = ColumnTransformer(
            [("views", clone(transformer), [2, 0])], remainder="passthrough"
        ).fit_transform(X)
        assert_allclose(left[:, :2], clone(transformer).fit_transform(X[:, [2, 0]]))
        assert_array_equal(left[:, 2:], X[:, [1, 3]])
        union = FeatureUnion([("views", clone(transformer)), ("standard", StandardScaler())])
        both = union.fit_transform(X)
        assert_allclose(both[:, :4], clone(transformer).fit_transform(X))
        assert union.get_feature_names_out()[:2].tolist() == ["views__x0", "views__x1"]

    def test_pipeline_of_all_with_the_classifier(self, quick, people):
        pipeline = make_pipeline(
            ViewSelector(keep=["pulse", "skin"]), ViewResampler(), ViewScaler(), quick()
        )
        pipeline.fit(people.views, people.target)
        by_hand = FunctionTransformer().fit_transform(people.views)
        steps = [clone(step).fit(people.views) for _, step in pipeline.steps[:1]]
        for step in (ViewResampler(), ViewScaler()):
            by_hand = steps[-1].transform(by_hand)
            steps.append(step.fit(by_hand))
        by_hand = steps[-1].transform(by_hand)
        alone = quick().fit(by_hand, people.target)
        new = people.new_views
        for step in steps:
            new = step.transform(new)
        assert_array_equal(pipeline.predict_proba(people.new_views), alone.predict_proba(new))
        assert pipeline[:-1].transform(people.new_views).names == ("pulse", "skin")
