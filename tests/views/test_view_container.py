"""Views: construction, masks, selection, the flat form, equality and display."""

import copy
import pickle
import re

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stf2m_sk.views import Modality, Views, ViewSchema


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.fixture
def views():
    eda = np.arange(8.0).reshape(4, 1, 2)
    acc = np.arange(36.0).reshape(4, 3, 3)
    eda[1] = np.nan
    acc[2, 1, 0] = np.nan
    return Views(
        {"eda": eda, "acc": acc},
        rates={"acc": 8},
        channel_names={"acc": ["x", "y", "z"]},
    )


class TestConstruction:
    def test_describes_itself(self, views):
        assert len(views) == views.n_clips == 4
        assert views.names == ("eda", "acc")
        assert views.schema == ViewSchema(
            [Modality("eda", 1, 2), Modality("acc", 3, 3, 8.0, ("x", "y", "z"))]
        )
        assert (views.ndim, views.shape, views.nbytes) == (2, (4, 11), 4 * 11 * 8)
        assert "eda" in views
        assert "hr" not in views

    def test_has_no_setters(self, views):
        with pytest.raises(AttributeError, match="schema"):
            views.schema = None

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_float_arrays_are_not_copied(self, dtype):
        array = np.zeros((6, 4, 2), dtype)[::2, :, ::-1]
        assert np.shares_memory(Views({"a": array})["a"], array)

    def test_read_only_and_memory_mapped_arrays(self, tmp_path):
        path = tmp_path / "a.npy"
        np.save(path, np.arange(6.0).reshape(3, 1, 2))
        mapped = np.load(path, mmap_mode="r")
        views = Views({"a": mapped})
        assert np.shares_memory(views["a"], mapped)
        assert_array_equal(views[[2, 0]]["a"], np.load(path)[[2, 0]])

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("float16", "float32"),
            ("bool", "float32"),
            ("int8", "float32"),
            ("uint16", "float32"),
            ("int32", "float64"),
            ("uint64", "float64"),
            ("longdouble", "float64"),
            (">f4", "float32"),
            (">f8", "float64"),
        ],
    )
    def test_other_real_numbers_are_converted(self, given, kept):
        array = np.array([[[0, 1]]]).astype(given)
        views = Views({"a": array})
        assert views.dtype == views["a"].dtype == np.dtype(kept)
        assert views.dtype.isnative
        assert_array_equal(views["a"], [[[0, 1]]])

    @pytest.mark.parametrize("dtype", ["int16", "uint16", "float16"])
    def test_extremes_survive_in_float32(self, dtype):
        info = np.finfo(dtype) if dtype == "float16" else np.iinfo(dtype)
        array = np.array([[[info.min, info.max]]], dtype)
        assert Views({"a": array})["a"].tolist() == array.tolist()

    def test_common_dtype_is_float32_only_if_all_are(self):
        single, double = np.zeros((1, 1, 1), "f4"), np.zeros((1, 1, 1), "f8")
        assert Views({"a": single, "b": single}).dtype == np.float32
        mixed = Views({"a": single, "b": double})
        assert mixed.dtype == mixed["a"].dtype == mixed["b"].dtype == np.float64

    def test_masked_entries_are_not_measured(self):
        masked = np.ma.array([[[1, 2, 3]]], mask=[[[0, 1, 0]]], dtype="int8")
        views = Views({"a": masked})
        assert_array_equal(views["a"], [[[1, np.nan, 3]]])
        assert views.dtype == np.float32

    def test_first_infinite_value_is_named(self):
        array = np.zeros((3, 2, 5))
        array[2, 0, 3] = array[1, 1, 4] = -np.inf
        message = (
            "modality 'eda', clip 1, channel 1, time step 4: infinite value (-inf); "
            "use NaN for what was not measured"
        )
        with pytest.raises(ValueError, match=exactly(message)):
            Views({"hr": np.zeros((3, 1, 1)), "eda": array})

    @pytest.mark.filterwarnings("error")
    @pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="no longdouble")
    def test_longdouble_beyond_float64_is_an_error(self):
        with pytest.raises(ValueError, match="modality 'a', clip 0, channel 0, time step 0"):
            Views({"a": np.full((1, 1, 1), np.finfo(np.longdouble).max)})

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (np.zeros(3), "given the shape (3,)"),
            (
                np.zeros((3, 2)),
                "given the shape (3, 2); if it is one clip, give it a first axis: array[None]",
            ),
            (np.zeros((3, 2, 2, 2)), "given the shape (3, 2, 2, 2)"),
            (np.zeros((1, 1, 1), object), "expected real numbers, given dtype object"),
            ([[["1"]]], "expected real numbers, given dtype <U1"),
            (np.zeros((1, 1, 1), "M8[s]"), "expected real numbers, given dtype datetime64[s]"),
            ([[[1j]]], "Complex data not supported, given dtype complex128"),
            ([[[1, 2]], [[3]]], "pad shorter clips with NaN to one length"),
            (np.zeros((3, 0, 2)), "n_channels must be at least 1, given 0"),
            (np.zeros((3, 2, 0)), "n_timesteps must be at least 1, given 0"),
        ],
    )
    def test_unfit_array_names_the_modality(self, values, message):
        with pytest.raises(ValueError, match=f"^modality 'eda': .*{re.escape(message)}$"):
            Views({"eda": values})

    @pytest.mark.parametrize(
        ("modalities", "options", "error", "message"),
        [
            (
                [np.zeros((1, 1, 1))],
                {},
                TypeError,
                "modalities must be a mapping of name to array, given list; "
                "as_views reads other forms",
            ),
            ({}, {}, ValueError, "expected at least one modality, given an empty mapping"),
            (
                {3: [[[1.0]]]},
                {},
                TypeError,
                "the name of a modality must be a str, given 3",
            ),
            ({"": [[[1.0]]]}, {}, ValueError, "the name of a modality must not be empty"),
            (
                {"a": np.zeros((0, 1, 2))},
                {},
                ValueError,
                "Found array with 0 sample(s) (shape=(0, 1, 2)) while a minimum of 1 is required. "
                "modality 'a' has no clips.",
            ),
            (
                {"a": np.zeros((2, 1, 1)), "b": np.zeros((3, 1, 1))},
                {},
                ValueError,
                "all modalities must have the same number of clips, given 'a' 2, 'b' 3",
            ),
            (
                {"a": [[[1.0]]]},
                {"rates": 8},
                TypeError,
                "rates must be a mapping by modality or None, given int",
            ),
            (
                {"a": [[[1.0]]]},
                {"channel_names": {"b": ["x"]}},
                ValueError,
                "channel_names mention ['b'], but the modalities are ['a']",
            ),
            (
                {"a": [[[1.0]]]},
                {"rates": {"a": -1}},
                ValueError,
                "modality 'a': rate must be positive and finite (Hz), given -1.0",
            ),
        ],
    )
    def test_errors(self, modalities, options, error, message):
        with pytest.raises(error, match=exactly(message)):
            Views(modalities, **options)


class TestMasksAndSelection:
    def test_measured(self, views):
        expected = np.ones((4, 3, 3), bool)
        expected[2, 1, 0] = False
        assert_array_equal(views.measured("acc"), expected)

    def test_present_needs_one_measured_value(self, views):
        assert_array_equal(views.present, [[1, 1], [0, 1], [1, 1], [1, 1]])
        assert views.present.dtype == bool

    def test_select_gives_the_order_asked_for_and_shares_memory(self, views):
        swapped = views.select("acc", "eda")
        assert swapped.names == ("acc", "eda")
        assert swapped.schema["acc"] == views.schema["acc"]
        assert swapped["acc"] is views["acc"]

    def test_drop_keeps_the_rest(self, views):
        assert views.drop("eda").names == ("acc",)
        assert views.drop().names == views.names

    def test_to_dict_is_a_new_dict_of_the_same_arrays(self, views):
        arrays = views.to_dict()
        assert arrays["eda"] is views["eda"]
        del arrays["eda"]
        assert "eda" in views

    @pytest.mark.parametrize("take", ["__getitem__", "measured", "select", "drop"])
    def test_unknown_name_lists_the_names(self, views, take):
        message = re.escape("no modality 'hr'; there are ['eda', 'acc']")
        with pytest.raises(KeyError, match=message):
            getattr(views, take)("hr")

    def test_names_are_given_one_by_one(self, views):
        message = "modalities are named by str, one by one; given ['eda', 'acc']"
        with pytest.raises(TypeError, match=exactly(message)):
            views.select(["eda", "acc"])

    @pytest.mark.parametrize("nothing_left", [Views.select, lambda v: v.drop("eda", "acc")])
    def test_one_modality_must_remain(self, views, nothing_left):
        with pytest.raises(ValueError, match=r"^expected at least one modality, given none$"):
            nothing_left(views)

    def test_select_twice(self, views):
        with pytest.raises(ValueError, match=r"repeated: \['eda'\]$"):
            views.select("eda", "eda")


class TestFlatForm:
    def test_order_is_modality_channel_time(self):
        views = Views({"b": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], "a": [[[9]], [[10]]]})
        assert_array_equal(views.to_flat(), [[1, 2, 3, 4, 9], [5, 6, 7, 8, 10]])

    def test_numpy_protocol(self, views):
        flat = views.to_flat()
        assert_array_equal(np.asarray(views), flat)
        assert_array_equal(np.array(views, copy=True), flat)
        assert np.asarray(views, dtype=np.float32).dtype == np.float32

    def test_flat_form_never_shares_memory(self):
        array = np.zeros((2, 1, 3))
        assert not np.shares_memory(Views({"a": array}).to_flat(), array)

    def test_copy_false_is_refused(self, views):
        message = "the flat form of Views is always a copy; ask for copy=None or True"
        with pytest.raises(ValueError, match=exactly(message)):
            np.array(views, copy=False)


class TestTypesAndEquality:
    def test_astype(self, views):
        single = views.astype("float32")
        assert single.dtype == np.float32
        assert_array_equal(single["acc"], views["acc"])
        assert single.schema == views.schema
        assert views.astype(np.float64) is views

    def test_astype_refuses_other_types(self, views):
        with pytest.raises(
            ValueError, match=exactly("Views hold float32 or float64, given float16")
        ):
            views.astype(np.float16)

    @pytest.mark.filterwarnings("error")
    def test_astype_refuses_to_overflow(self):
        message = "modality 'a' holds values too large for float32; scale them first"
        with pytest.raises(ValueError, match=exactly(message)):
            Views({"a": [[[np.nan, 1e300]]]}).astype(np.float32)

    def test_equals(self, views):
        same = Views(
            {name: array.copy() for name, array in views.to_dict().items()},
            rates={"acc": 8},
            channel_names={"acc": ["x", "y", "z"]},
        )
        assert views.equals(same)
        assert views.equals(views.astype(np.float32))

    def test_differences_that_count(self, views):
        arrays = views.to_dict()
        names = {"acc": ["x", "y", "z"]}
        changed = dict(arrays, eda=np.nan_to_num(arrays["eda"]))
        assert not views.equals(Views(changed, rates={"acc": 8}, channel_names=names))
        assert not views.equals(Views(arrays, rates={"acc": 9}, channel_names=names))
        assert not views.equals(Views(arrays, rates={"acc": 8}))
        assert not views.equals(views.select("acc", "eda"))
        assert not views.equals(views[:3])
        assert not views.equals(arrays)

    @pytest.mark.parametrize(
        "duplicate", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
    )
    def test_copies(self, views, duplicate):
        assert duplicate(views).equals(views)

    def test_joblib_hash_is_by_value(self, views):
        assert joblib.hash(views) == joblib.hash(copy.deepcopy(views))
        assert joblib.hash(views) != joblib.hash(views[::-1])


class TestDisplay:
    def test_repr(self, views):
        assert repr(views) == "Views(4 clips: eda 1x2, acc 3x3 @ 8 Hz; 6.8 % not measured)"
        assert repr(views[0]) == "Views(1 clip: eda 1x2, acc 3x3 @ 8 Hz; all measured)"
        assert repr(views[:0]) == "Views(0 clips: eda 1x2, acc 3x3 @ 8 Hz; all measured)"

    def test_a_small_share_does_not_read_as_zero(self):
        array = np.zeros((1, 1, 5000))
        array[0, 0, 0] = np.nan
        assert repr(Views({"a": array})) == "Views(1 clip: a 1x5000; < 0.1 % not measured)"

    def test_html_has_a_row_for_each_modality(self, views):
        table = views._repr_html_()
        assert "<caption>Views: 4 clips</caption>" in table
        assert (
            "<tr><td>acc</td><td>3 (x, y, z)</td><td>3</td><td>8 Hz</td>"
            "<td>2.8 % not measured</td></tr>"
        ) in table
        assert "<tr><td>eda</td><td>1</td><td>2</td><td>unknown</td>" in table

    def test_html_escapes_names(self):
        table = Views({"<b>": [[[1.0]]]})._repr_html_()
        assert "<td>&lt;b&gt;</td>" in table
