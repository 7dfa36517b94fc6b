"""as_views: every accepted form of X, and the errors of all others."""

import re

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from stf2m_sk.views import Modality, Views, ViewSchema, as_views

SCHEMA = ViewSchema([Modality("acc", 2, 3, 8.0, ("x", "y")), Modality("hr", 1, 4, 1.0)])


def exactly(message):
    return f"^{re.escape(message)}$"


class Table:
    """A data frame of some other library: all that is known of it is `to_numpy`."""

    def __init__(self, values):
        self._values = values

    def to_numpy(self):
        return self._values


class TestWithoutSchema:
    def test_mapping(self):
        acc, hr = np.zeros((5, 2, 3)), np.ones((5, 1, 4))
        views = as_views({"hr": hr, "acc": acc})
        assert views.names == ("hr", "acc")
        assert views["acc"] is acc

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_list_of_modalities(self, kind):
        arrays = kind([np.zeros((5, 2, 3)), np.ones((5, 1, 4))])
        views = as_views(arrays)
        assert views.names == ("modality0", "modality1")
        assert views["modality1"] is arrays[1]

    def test_list_of_rows(self):
        assert_array_equal(as_views([[1, 2], [3, 4]])["features"], [[[1], [2]], [[3], [4]]])
        clips = [np.zeros((2, 3)), np.ones((2, 3))]
        assert_array_equal(as_views(clips)["signal"], np.stack(clips))

    def test_three_dimensions_are_one_modality(self):
        X = np.random.default_rng(0).normal(size=(5, 2, 3))
        views = as_views(X)
        assert views.names == ("signal",)
        assert np.shares_memory(views["signal"], X)
        assert_array_equal(views["signal"], X)

    def test_features_are_channels_of_one_time_step(self):
        X = np.random.default_rng(0).normal(size=(5, 7))
        views = as_views(X)
        assert views.schema == ViewSchema([Modality("features", 7, 1)])
        assert np.shares_memory(views["features"], X)
        assert_array_equal(np.asarray(views), X)

    def test_objects_that_are_numbers(self):
        X = np.array([[1, 2.5], [None, True]], dtype=object)
        assert_array_equal(np.asarray(as_views(X)), [[1, 2.5], [np.nan, 1]])
        assert_array_equal(as_views({"a": X[:, :, None]})["a"][..., 0], [[1, 2.5], [np.nan, 1]])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floats_keep_their_type(self, dtype):
        assert as_views(np.zeros((2, 3), dtype)).dtype == dtype

    def test_layouts(self, tmp_path):
        X = np.random.default_rng(0).normal(size=(4, 3, 2))
        np.save(tmp_path / "X.npy", X)
        frozen = X.copy()
        frozen.flags.writeable = False
        for same in (np.asfortranarray(X), np.load(tmp_path / "X.npy", mmap_mode="r"), frozen):
            views = as_views(same)
            assert np.shares_memory(views["signal"], same)
            assert_array_equal(views.to_flat(), X.reshape(4, 6))

    def test_masked_entries_are_not_measured(self):
        X = np.ma.masked_equal([[1, 2], [3, 4]], 3)
        assert_array_equal(np.asarray(as_views(X)), [[1, 2], [np.nan, 4]])


class TestTables:
    def test_any_table_that_has_to_numpy(self):
        X = np.arange(6.0).reshape(3, 2)
        assert np.shares_memory(as_views(Table(X))["features"], X)

    def test_pandas(self):
        pd = pytest.importorskip("pandas")
        table = pd.DataFrame(
            {
                "integer": pd.array([1, None], dtype="Int64"),
                "boolean": pd.array([None, True], dtype="boolean"),
                "real": [0.5, np.nan],
            }
        )
        expected = [[1, np.nan, 0.5], [np.nan, 1, np.nan]]
        assert_array_equal(np.asarray(as_views(table)), expected)
        assert_array_equal(np.asarray(as_views(table.astype(object))), expected)

    def test_pandas_flat_form(self):
        pd = pytest.importorskip("pandas")
        X = np.random.default_rng(0).normal(size=(5, SCHEMA.n_flat))
        assert as_views(pd.DataFrame(X), SCHEMA).equals(as_views(X, SCHEMA))

    def test_pandas_text_is_an_error(self):
        pd = pytest.importorskip("pandas")
        with pytest.raises(ValueError, match=r"^X: expected real numbers: could not convert"):
            as_views(pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}))

    def test_pandas_series_is_no_table(self):
        pd = pytest.importorskip("pandas")
        with pytest.raises(ValueError, match="Reshape your data"):
            as_views(pd.Series([1.0, 2.0]))


class TestWithSchema:
    acc = np.random.default_rng(0).normal(size=(5, 2, 3))
    hr = np.random.default_rng(1).normal(size=(5, 1, 4))
    expected = Views(
        {"acc": acc, "hr": hr}, rates={"acc": 8, "hr": 1}, channel_names={"acc": ["x", "y"]}
    )

    @pytest.mark.parametrize("schema", [SCHEMA, SCHEMA.to_dict()])
    @pytest.mark.parametrize(
        "X",
        [
            expected,
            expected.select("hr", "acc"),
            {"hr": hr, "acc": acc},
            [acc, hr],
            (acc, hr),
            expected.to_flat(),
            expected.to_flat().tolist(),
        ],
    )
    def test_every_form_gives_the_same_views(self, X, schema):
        assert as_views(X, schema).equals(self.expected)

    def test_channels_are_shared_out_in_order_and_lengths_are_free(self):
        X = np.random.default_rng(2).normal(size=(5, 3, 9))
        views = as_views(X, SCHEMA)
        assert_array_equal(views["acc"], X[:, :2])
        assert_array_equal(views["hr"], X[:, 2:])
        assert np.shares_memory(views["hr"], X)
        assert [m.rate for m in views.schema] == [8.0, 1.0]

    def test_flat_form_is_not_copied(self):
        flat = self.expected.to_flat()
        assert np.shares_memory(as_views(flat, SCHEMA)["hr"], flat)

    def test_mapping_may_lack_modalities(self):
        views = as_views({"hr": self.hr}, SCHEMA)
        assert views.names == ("acc", "hr")
        assert np.isnan(views["acc"]).all()

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (
                np.zeros((5, 9)),
                "X has 9 features, but ViewSchema is expecting 10 features as input: "
                "the flat form of ViewSchema(acc 2x3 @ 8 Hz, hr 1x4 @ 1 Hz)",
            ),
            (
                np.zeros((5, 4, 3)),
                "X has 4 channels, but the schema has 3: ViewSchema(acc 2x3 @ 8 Hz, hr 1x4 @ 1 Hz)",
            ),
            (
                [np.zeros((5, 2, 3))],
                "X is a list of 1 modalities, but the schema has 2: ['acc', 'hr']; "
                "pass a dict by name where some are absent",
            ),
            (
                {"eda": np.zeros((5, 1, 3))},
                "unknown modalities ['eda']; the schema has ['acc', 'hr']; "
                "leave the others out with .drop(*names)",
            ),
            (
                {"hr": np.zeros((5, 2, 3))},
                "modality 'hr': given 2 channels, expected 1",
            ),
            (
                Views({"hr": np.zeros((5, 1, 3))}, rates={"hr": 2}),
                "modality 'hr': given a rate of 2 Hz, expected 1 Hz; resample it first",
            ),
        ],
    )
    def test_errors(self, X, message):
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(X, SCHEMA)

    def test_schema_of_another_type(self):
        with pytest.raises(TypeError, match=r"^a schema must be a mapping .*, given str$"):
            as_views(np.zeros((5, 9)), "acc")


class TestErrors:
    @pytest.mark.parametrize(
        "make", [scipy.sparse.csr_array, scipy.sparse.csr_matrix, scipy.sparse.dok_array]
    )
    def test_sparse(self, make):
        message = (
            "Sparse data was passed for X, but dense data is required. "
            "Use '.toarray()' to convert to a dense numpy array."
        )
        with pytest.raises(TypeError, match=exactly(message)):
            as_views(make(np.eye(3)))
        with pytest.raises(TypeError, match=r"^Sparse data was passed for modality 'a'"):
            as_views({"a": make(np.eye(3))})

    @pytest.mark.parametrize("X", [[[1, 1j]], np.zeros((2, 2, 2), complex)])
    def test_complex(self, X):
        message = "X: Complex data not supported, given dtype complex128"
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(X)

    @pytest.mark.parametrize("X", [[1.0, 2.0], [], np.zeros(3), 5.0, None])
    def test_too_few_dimensions(self, X):
        message = (
            f"Expected a 2-D or 3-D X, given the shape {np.shape(X)}. Reshape your data either "
            "using X.reshape(-1, 1) if it has a single feature or X.reshape(1, -1) if it is "
            "one clip."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(X)

    def test_too_many_dimensions(self):
        message = (
            "Expected X of shape (n_clips, n_features) or (n_clips, n_channels, n_timesteps), "
            "given the shape (2, 1, 1, 1)"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(np.zeros((2, 1, 1, 1)))

    @pytest.mark.parametrize("schema", [None, {"features": {"n_channels": 3}}])
    @pytest.mark.parametrize("X", [np.empty((0, 3)), np.empty((0, 3, 1)), np.empty((0, 0))])
    def test_no_clips(self, X, schema):
        message = (
            f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required. "
            "X has no clips."
        )
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(X, schema)

    def test_no_clips_in_views(self):
        message = "Found array with 0 sample(s) (shape=(0, 2)) while a minimum of 1 is required."
        with pytest.raises(ValueError, match=re.escape(message)):
            as_views(Views({"a": np.zeros((3, 1, 2))})[:0])

    def test_no_features(self):
        message = "Found array with 0 feature(s) (shape=(12, 0)) while a minimum of 1 is required."
        with pytest.raises(ValueError, match=exactly(message)):
            as_views(np.empty((12, 0)))

    def test_objects_that_are_not_numbers(self):
        X = np.array([[1, {"foo": "bar"}]], dtype=object)
        with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
            as_views(X)
        with pytest.raises(ValueError, match=r"^X: expected real numbers: could not convert"):
            as_views(np.array([[1, "one"]], dtype=object))
        with pytest.raises(ValueError, match=r"^X: expected real numbers: int too (big|large)"):
            as_views(np.array([[1, 10**400]], dtype=object))

    def test_text(self):
        with pytest.raises(ValueError, match=r"^X: expected real numbers, given dtype <U1$"):
            as_views([["1", "2"]])

    def test_ragged_rows(self):
        with pytest.raises(ValueError, match=r"^X: .*pad shorter clips with NaN to one length$"):
            as_views([[[1, 2]], [[3]]])

    def test_infinite(self):
        message = r"^modality 'features', clip 1, channel 2, time step 0: infinite value \(inf\)"
        with pytest.raises(ValueError, match=message):
            as_views([[0, 0, 0], [0, 0, np.inf]])

    def test_list_of_views(self):
        views = Views({"a": np.zeros((3, 1, 2))})
        message = "X is a list with Views in it; join them with Views.concatenate(X)"
        with pytest.raises(TypeError, match=exactly(message)):
            as_views([views[0], views[1]])

    def test_empty_mapping(self):
        with pytest.raises(ValueError, match=r"^expected at least one modality"):
            as_views({})
