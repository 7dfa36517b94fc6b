"""Checks at the boundary of the classifier, one by one."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from stf2m_sk import Views
from stf2m_sk._validation import (
    check_groups,
    check_labels,
    check_measured,
    encode_labels,
    note_features,
    resolve_device,
    torch_threads,
)


class TestLabels:
    @pytest.mark.parametrize(
        ("y", "dtype"),
        [
            (["b", "a"], "<U1"),
            ((3, -1), "int64"),
            ([True, False], "bool"),
            ([2.0, 5.0], "float64"),
            (np.array(["b", "a"], dtype=object), "O"),
            (pd.Series(["b", "a"], dtype="category"), "O"),
        ],
    )
    def test_of_any_type_are_an_array(self, y, dtype):
        labels = check_labels(y, 2)
        assert labels.dtype == dtype
        assert labels.tolist() == list(y)

    def test_without_a_number_of_clips(self):
        assert check_labels(["a", "b", "a"], None).tolist() == ["a", "b", "a"]

    def test_a_column_is_flattened_with_a_warning(self):
        with pytest.warns(UserWarning, match="A column-vector y was passed"):
            assert check_labels([["a"], ["b"]], 2).tolist() == ["a", "b"]

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (None, "but the target y is None. Give one label for each clip."),
            (["a"], "X has 2 clips, y has 1 labels"),
            ([1.0, np.nan], r"y holds NaN or None at 1 place\(s\), the first at clip 1"),
            (["a", None], r"y holds NaN or None at 1 place\(s\), the first at clip 1"),
            (
                np.array(["a", np.nan], dtype=object),
                r"y holds NaN or None at 1 place\(s\), the first at clip 1",
            ),
            ([0.5, 1.5], "Unknown label type: continuous"),
            ([0.0, np.inf], "infinity"),
            ([["a", "b"], ["c", "d"]], "y should be a 1d array"),
            ([], r"Found array with 0 sample\(s\)"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
    def test_are_refused(self, y, message):
        with pytest.raises(ValueError, match=message):
            check_labels(y, 2)

    def test_many_that_are_all_different_give_no_warning(self, recwarn):
        check_labels([f"emotion {i}" for i in range(30)], 30)
        assert [str(warning.message) for warning in recwarn] == []


class TestEncoding:
    @pytest.mark.parametrize("labels", [["b", "a", "c", "b"], [5, -3, 9, 5], [True, False] * 2])
    def test_sorted_classes_and_codes(self, labels):
        classes, codes = encode_labels(np.array(labels))
        assert classes.tolist() == sorted(set(labels))
        assert classes[codes].tolist() == labels

    @pytest.mark.parametrize("label", ["calm", 1])
    def test_one_class(self, label):
        message = rf"^y holds one class only \({label!r}\), but telling emotions apart takes"
        with pytest.raises(ValueError, match=message):
            encode_labels(np.array([label, label]))


class TestGroups:
    def test_none(self):
        assert check_groups(None, 3) is None

    @pytest.mark.parametrize(
        "groups", [["b", "a", "b"], [7, 3, 7], [0.5, -0.5, 0.5], pd.Series(["b", "a", "b"])]
    )
    def test_are_coded(self, groups):
        assert check_groups(groups, 3).tolist() == [1, 0, 1]

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ([1, 2], "groups has 2 entries for 3 clips; give the person of each clip"),
            ([1, np.nan, 2], "groups holds NaN or None.*the first at clip 1"),
            (["a", "b", None], "groups holds NaN or None.*the first at clip 2"),
            ([[1, 2]] * 3, "groups"),
        ],
    )
    def test_are_refused(self, groups, message):
        with pytest.raises(ValueError, match=message):
            check_groups(groups, 3)


class TestMeasured:
    def test_any_value_of_any_modality_will_do(self):
        one, other = np.full((2, 1, 2), np.nan), np.full((2, 2, 3), np.nan)
        one[0, 0, 1] = other[1, 1, 2] = 0.0
        check_measured(Views({"one": one, "other": other}))

    def test_clips_without_a_value_are_refused(self):
        signal = np.zeros((5, 1, 2))
        signal[[2, 4]] = np.nan
        message = (
            r"^2 clip\(s\) hold no measured value in any modality \(all NaN\), the first is clip 2"
        )
        with pytest.raises(ValueError, match=message):
            check_measured(Views({"one": signal, "other": np.full((5, 1, 1), np.nan)}))


class TestFeatures:
    VIEWS = Views({"a": np.zeros((3, 2, 4))})

    @pytest.mark.parametrize(
        ("X", "n_features"),
        [
            (VIEWS, 8),
            (VIEWS.to_dict(), 8),
            (list(VIEWS.to_dict().values()), 8),
            (VIEWS["a"], 2),
            (np.asarray(VIEWS), 8),
            (np.asarray(VIEWS).tolist(), 8),
        ],
        ids=["Views", "dict", "list", "3-D array", "flat array", "list of rows"],
    )
    def test_are_counted(self, X, n_features):
        estimator = BaseEstimator()
        note_features(estimator, X, self.VIEWS, reset=True)
        assert vars(estimator) == {"n_features_in_": n_features}
        note_features(estimator, X, self.VIEWS, reset=False)
        assert vars(estimator) == {"n_features_in_": n_features}

    def test_names_are_noted_and_compared(self):
        estimator = BaseEstimator()
        frame = pd.DataFrame(np.zeros((3, 2)), columns=["x", "y"])
        note_features(estimator, frame, self.VIEWS, reset=True)
        assert estimator.feature_names_in_.tolist() == ["x", "y"]
        note_features(estimator, frame, self.VIEWS, reset=False)
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            note_features(estimator, frame[["y", "x"]], self.VIEWS, reset=False)


class TestDevice:
    def test_auto_takes_what_there_is(self):
        assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")

    def test_known_ones_are_kept(self):
        assert resolve_device("cpu") == "cpu"

    @pytest.mark.parametrize("device", ["quantum", "", "cpu:", "gpu"])
    def test_unknown_ones_are_refused(self, device):
        with pytest.raises(
            ValueError, match=f"device={device!r} is not a torch device; use 'auto'"
        ):
            resolve_device(device)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_cuda_where_there_is_none(self):
        with pytest.raises(ValueError, match="device='cuda:0', but torch finds no CUDA device"):
            resolve_device("cuda:0")


class TestThreads:
    @pytest.fixture(autouse=True)
    def three_threads(self):
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        yield
        torch.set_num_threads(before)

    @pytest.mark.parametrize(("n_threads", "during"), [(None, 3), (1, 1), (2, 2)])
    def test_for_a_while(self, n_threads, during):
        with torch_threads(n_threads):
            assert torch.get_num_threads() == during
        assert torch.get_num_threads() == 3

    def test_after_an_error(self):
        with pytest.raises(KeyError, match="gone"), torch_threads(1):
            raise KeyError("gone")
        assert torch.get_num_threads() == 3

    def test_inside_each_other(self):
        with torch_threads(2):
            with torch_threads(1):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 2


def test_codes_are_integers():
    _, codes = encode_labels(np.array(["a", "b"]))
    assert_array_equal(codes, [0, 1])
    assert codes.dtype.kind == check_groups(["a"], 1).dtype.kind == "i"
