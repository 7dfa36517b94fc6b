"""Saving and loading: the same classifier comes back, and nothing else is let in."""

import copy
import json
import os
import pickle
import struct
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from scipy.sparse import issparse
from sklearn.base import clone

import stf2m_sk
from stf2m_sk import STF2MClassifier, ViewSchema, persistence
from stf2m_sk.views import Modality

NOT_SAVED = {"random_state": None, "callbacks": (), "checkpoint": None}

pytestmark = pytest.mark.filterwarnings("ignore:y holds labels that are new")


def content_of(path):
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return file.metadata(), tensors


def untimed(history):
    """Histories without the seconds that the epochs took."""
    return [
        [{name: row[name] for name in row if name != "dur"} for row in rows] for rows in history
    ]


def assert_same(one, other, views):
    assert_array_equal(one.classes_, other.classes_)
    assert one.classes_.dtype == other.classes_.dtype
    assert_array_equal(one.population_classes_, other.population_classes_)
    assert one.schema_ == other.schema_
    assert one.n_features_in_ == other.n_features_in_
    assert untimed(one.history_) == untimed(other.history_)
    for X in (views, views.astype(np.float32)):
        answer = other.predict_proba(X)
        assert answer.dtype == X.dtype
        assert_array_equal(one.predict_proba(X), answer)
    assert_array_equal(one.predict(views), other.predict(views))
    for name in ("support", "person"):
        own, others = getattr(one.model_, name), getattr(other.model_, name)
        assert type(own) is type(others)
        for mine, theirs in zip(own or (), others or (), strict=True):
            if issparse(mine):
                mine, theirs = mine.toarray(), theirs.toarray()
            assert_array_equal(mine, theirs)
            assert np.asarray(mine).dtype == np.asarray(theirs).dtype
    assert one.model_.numbers == other.model_.numbers
    assert one.model_.support_weight == other.model_.support_weight
    assert one.model_.provenance == other.model_.provenance


class TestRoundTrip:
    @pytest.mark.parametrize(
        "kind", ["zero shots", "added", "adapted", "reserved", "unlabelled", "both", "heavy"]
    )
    @pytest.mark.parametrize("start", ["lasting", "with_networks"])
    def test_is_exact(self, request, people, tmp_path, kind, start):
        classifier = copy.copy(request.getfixturevalue(start))
        views, target = people.new_views, people.new_target
        if kind == "added":
            classifier.partial_fit(views, np.resize(["zest", "emotion_1"], 9))
        elif kind == "adapted":
            classifier = classifier.adapt(views, target)
        elif kind == "reserved":
            classifier = classifier.adapt(views[:1], ["zest"], classes=["zest", "awe"])
        elif kind == "unlabelled":
            classifier = classifier.adapt(unlabelled=views)
        elif kind == "both":
            classifier = classifier.adapt(views[:4], target[:4], unlabelled=views)
        elif kind == "heavy":
            classifier = classifier.set_params(support_weight=5.0).adapt(views, target)
            classifier.set_params(support_weight=1.0)
        classifier.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert type(loaded) is STF2MClassifier
        assert_same(loaded, classifier, people.views)
        assert loaded.get_params() == classifier.get_params() | NOT_SAVED

    @pytest.mark.parametrize(
        "labels",
        [
            np.array(["émotion", "радость"]),
            np.array(["calm", "tense"], dtype=object),
            np.array([-(2**62), 2**62 + 1]),
            np.array([0, 2**64 - 1], dtype=np.uint64),
            np.array([3, 200], dtype=np.uint8),
            np.array([-1.0, 7.0]),
            np.array([-1.0, 7.0], dtype=np.float32),
            np.array([False, True]),
        ],
        ids=lambda labels: str(labels.dtype),
    )
    def test_keeps_labels_of_every_type(self, quick, arrays, tmp_path, labels):
        y = labels[(arrays.y == "tense").astype(int)]
        adapted = quick().fit(arrays.X, y).adapt(arrays.X, y)
        adapted.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert loaded.classes_.dtype == loaded.model_.support.labels.dtype == labels.dtype
        assert loaded.classes_.tolist() == labels.tolist()
        assert list(map(type, loaded.classes_.tolist())) == list(map(type, labels.tolist()))
        assert_array_equal(loaded.predict(arrays.X), adapted.predict(arrays.X))
        assert_array_equal(loaded.predict_proba(arrays.X), adapted.predict_proba(arrays.X))

    def test_keeps_feature_names(self, quick, arrays, tmp_path):
        frame = pd.DataFrame(arrays.X[:, :, 0], columns=["eda", "пульс"])
        quick().fit(frame, arrays.y).save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert loaded.feature_names_in_.dtype == object
        assert loaded.feature_names_in_.tolist() == ["eda", "пульс"]
        with pytest.raises(ValueError, match="The feature names should match"):
            loaded.predict(frame[["пульс", "eda"]])

    def test_makes_up_no_feature_names(self, saved):
        assert not hasattr(stf2m_sk.load(saved), "feature_names_in_")

    @pytest.mark.parametrize(
        "schema",
        [
            {"eda": {"n_channels": 1, "rate": 4}, "hr": {"n_channels": 1, "n_timesteps": 9}},
            {"eda": {"n_channels": np.int64(1)}, "hr": {"n_channels": 1}},
            ViewSchema([Modality("eda", 1, 12, 4.0, ("left",)), Modality("hr", 1, 12)]),
        ],
        ids=["dict", "dict of NumPy numbers", "ViewSchema"],
    )
    def test_keeps_the_schema(self, quick, arrays, tmp_path, schema):
        classifier = quick(schema=schema).fit(arrays.X, arrays.y)
        classifier.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert loaded.schema_ == classifier.schema_
        assert ViewSchema.coerce(loaded.schema) == ViewSchema.coerce(schema)
        answer = classifier.predict_proba(arrays.X)
        assert_array_equal(loaded.predict_proba(arrays.X), answer)
        again = loaded.set_params(random_state=0).fit(arrays.X, arrays.y)
        assert_array_equal(again.predict_proba(arrays.X), answer)

    def test_keeps_parameters_of_numpy_types(self, quick, arrays, tmp_path):
        parameters = {"n_kernels": np.int64(2), "view_dropout": np.float64(0.1)}
        quick(**parameters).fit(arrays.X, arrays.y).save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model").get_params()
        assert {name: loaded[name] for name in parameters} == parameters

    def test_leaves_out_what_a_file_cannot_carry(self, fitted, tmp_path):
        fitted.set_params(
            random_state=np.random.RandomState(0), callbacks=[object()], checkpoint="c"
        )
        fitted.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert {name: getattr(loaded, name) for name in NOT_SAVED} == NOT_SAVED

    @pytest.mark.parametrize("form", [str, lambda path: path], ids=["str", "Path"])
    def test_path_of_any_type(self, fitted, people, tmp_path, form):
        path = form(tmp_path / "a name with spaces.model")
        fitted.save(path)
        assert_same(stf2m_sk.load(path), fitted, people.views)

    def test_saving_changes_nothing(self, fitted, people, tmp_path, state_of):
        fitted.partial_fit(people.new_views, people.new_target)
        before = state_of(fitted)
        fitted.save(tmp_path / "model")
        assert state_of(fitted) == before


class TestLoaded:
    def test_adapts_and_learns_as_the_original(self, fitted, people, tmp_path):
        fitted.partial_fit(people.new_views[:4], people.new_target[:4])
        fitted.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        for classifier in (loaded, fitted):
            classifier.partial_fit(people.new_views[4:], people.new_target[4:], classes=["awe"])
        assert_same(loaded, fitted, people.views)
        expected = fitted.adapt(people.new_views, people.new_target)
        assert_same(loaded.adapt(people.new_views, people.new_target), expected, people.views)

    def test_is_saved_again_to_the_same_bytes(self, saved, tmp_path):
        loaded = stf2m_sk.load(saved)
        for i in range(6):  # more than once, since chance could make two files alike
            loaded.save(tmp_path / f"{i}")
            assert (tmp_path / f"{i}").read_bytes() == saved.read_bytes()

    def test_is_cloned_and_pickled(self, saved, people):
        loaded = stf2m_sk.load(saved)
        assert clone(loaded).get_params() == loaded.get_params()
        again = pickle.loads(pickle.dumps(loaded))
        assert_same(again, loaded, people.views)

    def test_is_fitted_anew(self, saved, arrays):
        loaded = stf2m_sk.load(saved).set_params(random_state=0)
        fresh = clone(loaded).fit(arrays.X, arrays.y)
        loaded.fit(arrays.X, arrays.y)
        assert_array_equal(loaded.predict_proba(arrays.X), fresh.predict_proba(arrays.X))


class TestPopulation:
    @pytest.mark.parametrize("start", ["lasting", "with_networks"])
    @pytest.mark.parametrize("adapted", [False, True])
    def test_comes_back_to_the_last_bit(self, request, people, tmp_path, adapted, start):
        classifier = request.getfixturevalue(start)
        if adapted:
            labels = np.resize(["zest", "emotion_1"], 9)
            classifier = classifier.adapt(people.new_views, labels, unlabelled=people.new_views)
        classifier.save(tmp_path / "model")
        model, loaded = classifier.model_, stf2m_sk.load(tmp_path / "model").model_
        for name, part in model.population._asdict().items():
            again = getattr(loaded.population, name)
            assert again.dtype == part.dtype == torch.float64
            assert torch.equal(again, part), name
        for name in ("inner", "dual", "support", "targets"):
            assert torch.equal(getattr(loaded.state, name), getattr(model.state, name)), name
        state = loaded.module.state_dict()
        for name, part in model.module.state_dict().items():
            assert state[name].dtype == part.dtype
            assert torch.equal(state[name], part), name
        assert not loaded.module.training

    def test_what_is_symmetric_is_there_once(self, fitted, tmp_path):
        fitted.save(tmp_path / "model")
        within = fitted.model_.population.within
        n = len(within)
        _, tensors = content_of(tmp_path / "model")
        kept = tensors["population.within"]
        assert kept.shape == (n * (n + 1) // 2,)
        assert sorted(kept.tolist()) == sorted(within[np.triu_indices(n)].tolist())
        assert not any(tensor.shape == (n, n) for tensor in tensors.values())

    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            ([0.5, -2.0, 0.0], torch.float16),
            ([0.1, 1e30], torch.float32),
            ([2049.0], torch.float32),
            ([0.1, 1e300], torch.float64),
            ([1e-46], torch.float64),
            ([], torch.float16),
        ],
    )
    def test_numbers_take_as_many_bytes_as_they_need(self, values, dtype):
        given = torch.tensor(values, dtype=torch.float64)
        if dtype == torch.float32:
            given = given.float().double()
        kept = persistence._compact(given)
        assert kept.dtype == dtype
        assert torch.equal(kept.double(), given)

    @pytest.mark.parametrize("n", [1, 2, 7])
    def test_half_a_symmetric_matrix_is_the_whole(self, n):
        matrix = torch.randn(n, n, generator=torch.Generator().manual_seed(0)).double()
        matrix = matrix + matrix.T
        upper = persistence._upper_half(matrix)
        assert upper.shape == (n * (n + 1) // 2,)
        assert torch.equal(persistence._symmetric(upper, n), matrix)


class TestFile:
    def test_is_safetensors_with_json_and_no_pickle(self, saved):
        data = saved.read_bytes()
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        description = next(v for v in header["__metadata__"].values() if v.startswith("{"))
        assert json.loads(description)["version"] == 8
        ends = [entry["data_offsets"][1] for n, entry in header.items() if n != "__metadata__"]
        assert 8 + size + max(ends) == len(data)  # every byte is a tensor's
        with pytest.raises((pickle.UnpicklingError, ValueError)):
            pickle.loads(data)

    def test_is_small_with_default_sizes(self, people, tmp_path):
        classifier = STF2MClassifier(n_networks=2, max_epochs=1, random_state=0)
        classifier.fit(people.views, people.target).save(tmp_path / "model")
        assert (tmp_path / "model").stat().st_size < 2e6

    def test_has_the_permissions_of_any_new_file(self, saved, tmp_path):
        (tmp_path / "ordinary").touch()
        expected = (tmp_path / "ordinary").stat().st_mode
        assert saved.stat().st_mode == expected

    def test_holds_no_training_clip(self, fitted, people, tmp_path):
        fitted.save(tmp_path / "model")
        _, tensors = content_of(tmp_path / "model")
        assert not any(
            len(people.views) in tensor.shape
            for name, tensor in tensors.items()
            if not name.startswith("module.")
        )

    def test_replaces_an_older_one(self, fitted, people, saved):
        fitted.save(saved)
        assert stf2m_sk.load(saved).model_.support is None
        assert [path.name for path in saved.parent.iterdir()] == [saved.name]


class TestWhatCannotBeSaved:
    def test_parameters(self, fitted, tmp_path):
        fitted.set_params(view_dropout=Fraction(1, 5))
        with pytest.raises(TypeError, match="view_dropout"):
            fitted.save(tmp_path / "model")
        assert list(tmp_path.iterdir()) == []

    def test_leaves_the_old_file_as_it_was(self, fitted, saved):
        before = saved.read_bytes()
        fitted.set_params(view_dropout=Fraction(1, 5))
        with pytest.raises(TypeError, match="cannot be saved"):
            fitted.save(saved)
        assert saved.read_bytes() == before

    def test_into_a_folder_that_is_not_there(self, fitted, tmp_path):
        with pytest.raises(FileNotFoundError) as error:
            fitted.save(tmp_path / "nowhere" / "model")
        assert str(tmp_path / "nowhere") in str(error.value)
        assert ".part" not in str(error.value)

    def test_in_place_of_a_folder(self, fitted, tmp_path):
        (tmp_path / "folder").mkdir()
        with pytest.raises(OSError, match="folder"):
            fitted.save(tmp_path / "folder")
        assert os.listdir(tmp_path) == ["folder"]


class TestMissingFile:
    def test_is_named(self, tmp_path):
        path = tmp_path / "model"
        with pytest.raises(FileNotFoundError, match=f"There is no file '{path}'"):
            stf2m_sk.load(path)

    def test_a_folder_is_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            stf2m_sk.load(tmp_path)
