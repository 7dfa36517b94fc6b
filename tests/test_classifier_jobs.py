"""Copies of a classifier, on disk and in workers; and a classifier that was trained on a GPU."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from skorch.exceptions import DeviceWarning

from stf2m_sk._validation import torch_threads
from stf2m_sk.preprocessing import ViewScaler

FOLDS = StratifiedKFold(2)
BACKENDS = ["loky", "threading"]


@pytest.fixture
def two_threads():
    """Torch has two threads in this process, whatever it had before."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def through_pickle(thing, folder):
    return pickle.loads(pickle.dumps(thing))


def through_joblib(thing, folder):
    joblib.dump(thing, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def through_compressed_joblib(thing, folder):
    joblib.dump(thing, folder / "model.joblib.gz", compress=3)
    return joblib.load(folder / "model.joblib.gz")


def through_a_memory_map(thing, folder):
    joblib.dump(thing, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="r")


def through_deepcopy(thing, folder):
    return copy.deepcopy(thing)


WAYS = [
    through_pickle,
    through_joblib,
    through_compressed_joblib,
    through_a_memory_map,
    through_deepcopy,
]


@pytest.mark.parametrize("way", WAYS)
class TestCopies:
    def test_of_a_fitted_classifier(self, fitted, people, way, tmp_path):
        classes = ["awe", "joy", *fitted.classes_]
        adapted = fitted.adapt(people.new_views[:4], people.new_target[:4], classes=classes)
        again = way(adapted, tmp_path)
        assert again.get_params() == adapted.get_params()
        assert again.classes_.tolist() == adapted.classes_.tolist()
        assert again.history_ == adapted.history_
        expected = adapted.predict_proba(people.views)
        assert_array_equal(again.predict_proba(people.views), expected)
        for classifier in (adapted, again):
            classifier.partial_fit(people.new_views[4:], people.new_target[4:])
        expected = adapted.predict_proba(people.views)
        assert_array_equal(again.predict_proba(people.views), expected)

    def test_hold_the_network_once(self, fitted, way, tmp_path):
        net = way(fitted, tmp_path).net_
        assert net.module is net.module_
        assert net.criterion is net.criterion_

    def test_of_one_that_was_not_fitted(self, quick, fitted, people, way, tmp_path):
        again = way(quick(pretrained=fitted), tmp_path)
        assert not again.__sklearn_is_fitted__()
        again.fit(people.new_views, people.new_target)
        expected = quick(pretrained=fitted).fit(people.new_views, people.new_target)
        assert_array_equal(again.predict_proba(people.views), expected.predict_proba(people.views))


class TestClone:
    def test_trains_anew_and_keeps_what_was_trained_before(self, fitted, people, quick):
        model = quick(pretrained=fitted, support_weight=3.0)
        again = clone(model.fit(people.new_views, people.new_target))
        assert again.pretrained is fitted
        assert not again.__sklearn_is_fitted__()
        expected = model.predict_proba(people.views)
        again.fit(people.new_views, people.new_target)
        assert_array_equal(again.predict_proba(people.views), expected)


@pytest.mark.parametrize("backend", BACKENDS)
class TestParallelSearch:
    def test_is_the_serial_one_to_the_last_bit(self, quick, people, backend, two_threads):
        def search(n_jobs):
            model = make_pipeline(ViewScaler(), quick(n_threads=1))
            grid = {"stf2mclassifier__n_rules": [2, 3]}
            tool = GridSearchCV(model, grid, cv=FOLDS, scoring="neg_log_loss", n_jobs=n_jobs)
            with parallel_config(backend=backend):
                return tool.fit(people.views, people.target)

        serial, parallel = search(None), search(2)
        for name, column in serial.cv_results_.items():
            if "time" not in name and name != "params":
                assert_array_equal(parallel.cv_results_[name], column, err_msg=name)
        assert_array_equal(
            parallel.predict_proba(people.new_views), serial.predict_proba(people.new_views)
        )
        assert torch.get_num_threads() == 2

    def test_of_few_shot_parameters(self, quick, fitted, people, backend):
        def search(n_jobs):
            model = quick(pretrained=fitted, n_threads=1)
            grid = {"support_weight": [0.5, 5.0], "fine_tune_epochs": [0, 1]}
            tool = GridSearchCV(model, grid, cv=FOLDS, scoring="neg_log_loss", n_jobs=n_jobs)
            with parallel_config(backend=backend):
                return tool.fit(people.views, people.target)

        serial, parallel = search(None), search(2)
        assert_array_equal(
            parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
        )
        assert np.ptp(serial.cv_results_["mean_test_score"]) > 0


@pytest.mark.parametrize("backend", BACKENDS)
class TestThreads:
    """Of torch: one in a worker, so that parallel fits do not get in each other's way."""

    def test_in_a_worker(self, backend, two_threads):
        def threads(wanted):  # local, so that workers need not import this file
            with torch_threads(wanted):
                inside = torch.get_num_threads()
            return inside

        # loky would give its workers one thread anyway here: let it allow two.
        allowed = {"inner_max_num_threads": 2} if backend == "loky" else {}
        with parallel_config(backend=backend, n_jobs=2, **allowed):
            found = Parallel()(delayed(threads)(wanted) for wanted in (None, None, None, 2))
        assert found == [1, 1, 1, 2]
        assert threads(None) == 2  # not a worker
        assert torch.get_num_threads() == 2

    def test_of_a_fit_in_a_worker(self, quick, arrays, backend, two_threads):
        class Note(Callback):  # local for the same reason
            def on_epoch_end(self, net, **kwargs):
                net.history.record("threads", torch.get_num_threads())

        with parallel_config(backend=backend):
            result = cross_validate(
                quick(callbacks=[Note()], validation_fraction=0),
                arrays.X,
                arrays.y,
                cv=FOLDS,
                n_jobs=2,
                return_estimator=True,
                error_score="raise",
            )
        found = [model.net_.history[-1, "threads"] for model in result["estimator"]]
        assert found == [1, 1]
        assert torch.get_num_threads() == 2


class TestTrainedOnAGpu:
    """A pickle as a machine with a GPU writes it, read on one without.

    There is no GPU here: torch is told to write "cuda:0" beside every tensor that a GPU would
    hold, the weights, the loss and the optimizer's state. Reading such a pickle without a GPU
    is real, and torch refuses it wherever nobody maps it to another device.
    """

    @pytest.fixture
    def pickled(self, quick, people, monkeypatch):
        # With people held out, so that the best epoch's weights were kept during training.
        model = quick(max_epochs=2, validation_fraction=0.3)
        model.fit(people.views, people.target, groups=people.groups)
        model = model.adapt(people.new_views[:4], people.new_target[:4])
        net = model.net_
        states = [state.values() for state in net.optimizer_.state.values()]
        tensors = [*net.module_.state_dict().values(), *net.criterion_.state_dict().values()]
        tensors += [tensor for values in states for tensor in values]
        there = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        with monkeypatch.context() as patch:
            patch.setattr(
                torch.serialization,
                "location_tag",
                lambda storage: "cuda:0" if storage.data_ptr() in there else "cpu",
            )
            patch.setattr(net, "device", "cuda")
            content = pickle.dumps(model)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        return content, model

    def test_the_simulation_is_one_that_torch_refuses(self, pickled, monkeypatch):
        _, model = pickled
        monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        content = pickle.dumps(model.net_.module_)
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
            pickle.loads(content)

    @pytest.mark.filterwarnings("ignore:Setting self.device = cpu")
    def test_answers_on_the_cpu_and_says_so(self, pickled, people):
        content, model = pickled
        with pytest.warns(DeviceWarning, match='no CUDA devices are available.*"cpu" instead'):
            again = pickle.loads(content)
        assert str(again.net_.device) == "cpu"
        assert {p.device.type for p in again.net_.module_.parameters()} == {"cpu"}
        assert_array_equal(again.predict_proba(people.views), model.predict_proba(people.views))

    @pytest.mark.filterwarnings("ignore::skorch.exceptions.DeviceWarning")
    def test_learns_on_the_cpu(self, pickled, people, quick):
        content, model = pickled
        again = pickle.loads(content)
        X, y = people.new_views, people.new_target
        assert_array_equal(
            again.adapt(X, y).predict_proba(people.views),
            model.adapt(X, y).predict_proba(people.views),
        )
        tuned = [quick(pretrained=m, fine_tune_epochs=1).fit(X, y) for m in (again, model)]
        assert_array_equal(
            tuned[0].predict_proba(people.views), tuned[1].predict_proba(people.views)
        )
        assert_array_equal(
            pickle.loads(pickle.dumps(again)).predict_proba(people.views),
            model.predict_proba(people.views),
        )
