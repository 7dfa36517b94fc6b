"""Copies of a classifier, on disk and in workers."""

import copy
import multiprocessing
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

from stf2m_sk import PersonalisedClassifier
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
        given = people.new_views[:4], people.new_target[:4]
        classes = ["awe", "joy", *fitted.classes_]
        adapted = fitted.adapt(*given, unlabelled=people.new_views, classes=classes)
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

    def test_of_one_for_a_person(self, fitted, people, way, tmp_path):
        again = way(PersonalisedClassifier(fitted, support_weight=3.0), tmp_path)
        assert not again.__sklearn_is_fitted__()
        again.fit(people.new_views, people.new_target)
        expected = clone(PersonalisedClassifier(fitted, support_weight=3.0))
        expected.fit(people.new_views, people.new_target)
        assert_array_equal(again.predict_proba(people.views), expected.predict_proba(people.views))


class TestSpawnedProcess:
    """One that shares nothing with this one, in which torch has used two threads."""

    def test_predicts_and_adapts_as_this_one(self, quick, people, two_threads):
        given = people.new_views[:4], people.new_target[:4]
        fitted = quick().fit(people.views, people.target, groups=people.groups)
        expected = fitted.predict_proba(people.views)
        adapted = fitted.adapt(*given).predict_proba(people.new_views)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply_async(fitted.predict_proba, (people.views,)).get(120)
            person = pool.apply_async(fitted.adapt, given).get(120)
            there = pool.apply_async(person.predict_proba, (people.new_views,)).get(120)
        assert_array_equal(found, expected)
        assert_array_equal(there, adapted)
        assert_array_equal(person.predict_proba(people.new_views), adapted)


@pytest.mark.parametrize("backend", BACKENDS)
class TestParallelSearch:
    def test_is_the_serial_one_to_the_last_bit(self, quick, people, backend, two_threads):
        def search(n_jobs):
            model = make_pipeline(ViewScaler(), quick(n_threads=1))
            grid = {"stf2mclassifier__n_kernels": [2, 3]}
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

    def test_of_few_shot_parameters(self, with_networks, people, backend):
        def search(n_jobs):
            start = copy.copy(with_networks).set_params(n_threads=1)
            model = PersonalisedClassifier(start, random_state=0)
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
        if backend == "loky":
            pytest.skip("workers of their own take seconds; the test above asks them")

        class Note(Callback):  # local for the same reason
            def on_epoch_end(self, net, **kwargs):
                net.history.record("train_loss", float(torch.get_num_threads()))

        with parallel_config(backend=backend):
            result = cross_validate(
                quick(callbacks=[Note()], n_networks=2, hidden_dim=4, max_epochs=1),
                arrays.X,
                arrays.y,
                cv=FOLDS,
                n_jobs=2,
                return_estimator=True,
                error_score="raise",
            )
        found = [rows[0]["train_loss"] for m in result["estimator"] for rows in m.history_]
        assert found == [1.0] * 4
        assert torch.get_num_threads() == 2
