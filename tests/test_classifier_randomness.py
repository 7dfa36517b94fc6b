"""STF2MClassifier: one seed, one result; nobody else's random numbers are touched."""

import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

import stf2m_sk
from stf2m_sk import PersonalisedClassifier


class Threads(Callback):
    """Notes the number of torch threads of a training."""

    def on_train_begin(self, net, **kwargs):
        self.n = torch.get_num_threads()


def global_generators():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return kind, keys.tobytes(), rest, torch.get_rng_state().numpy().tobytes(), random.getstate()


class TestSeed:
    @pytest.mark.parametrize(
        "parameters",
        [{}, {"n_networks": 2, "hidden_dim": 8, "max_epochs": 2, "view_dropout": 0.3}],
        ids=["without networks", "with networks"],
    )
    def test_same_seed_same_bytes(self, quick, arrays, parameters):
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        one = quick(n_threads=1, **parameters).fit(arrays.X, arrays.y)
        np.random.seed(2)  # noqa: NPY002
        torch.manual_seed(2)
        other = quick(n_threads=1, **parameters).fit(arrays.X, arrays.y)
        for X in (arrays.X, arrays.X.astype(np.float32)):
            assert one.predict_proba(X).tobytes() == other.predict_proba(X).tobytes()

    def test_same_seed_same_file(self, quick, arrays, tmp_path):
        for name in ("one", "other"):
            quick(n_threads=1).fit(arrays.X, arrays.y).save(tmp_path / name)
        # Chance could make two files alike, so a third and a fourth are written.
        stf2m_sk.load(tmp_path / "one").save(tmp_path / "again")
        stf2m_sk.load(tmp_path / "other").save(tmp_path / "once more")
        assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1

    def test_same_support_same_bytes(self, fitted, people):
        given = people.new_views, people.new_target
        one, other = (fitted.adapt(*given, unlabelled=people.new_views) for _ in range(2))
        answer = one.predict_proba(people.views)
        assert answer.tobytes() == other.predict_proba(people.views).tobytes()
        assert answer.tobytes() == one.predict_proba(people.views).tobytes()

    def test_a_generator_is_a_seed(self, quick, arrays, fitted_on_array):
        one = quick(random_state=np.random.RandomState(0)).fit(arrays.X, arrays.y)
        assert_array_equal(one.predict_proba(arrays.X), fitted_on_array.predict_proba(arrays.X))

    def test_other_seed_other_result(self, quick, arrays, fitted_on_array):
        other = quick(random_state=1).fit(arrays.X, arrays.y)
        assert (other.predict_proba(arrays.X) != fitted_on_array.predict_proba(arrays.X)).any()

    def test_none_is_new_each_time(self, quick, arrays):
        one, other = (quick(random_state=None).fit(arrays.X, arrays.y) for _ in range(2))
        assert (one.predict_proba(arrays.X) != other.predict_proba(arrays.X)).any()


class TestGlobalGenerators:
    def test_are_left_as_found(self, quick, arrays):
        before = global_generators()
        networks = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 1}
        classifier = quick(**networks).fit(arrays.X, arrays.y)
        assert global_generators() == before
        adapted = classifier.adapt(arrays.X, arrays.y, unlabelled=arrays.X)
        adapted.partial_fit(arrays.X[:2], ["awe", "zest"], classes=["awe", "zest"])
        assert global_generators() == before
        adapted.predict(arrays.X)
        adapted.predict_proba(arrays.X.astype(np.float32))
        assert global_generators() == before
        fresh = quick(**networks | {"random_state": None}).fit(arrays.X, arrays.y)
        PersonalisedClassifier(fresh, fine_tune_epochs=1).fit(arrays.X, arrays.y)
        assert global_generators() == before


class TestThreads:
    @pytest.fixture(autouse=True)
    def three_threads(self):
        before = torch.get_num_threads()
        torch.set_num_threads(3)
        yield
        torch.set_num_threads(before)

    @pytest.mark.parametrize(("n_threads", "during"), [(None, 3), (1, 1)])
    def test_during_fit_and_afterwards(self, quick, arrays, n_threads, during):
        threads = Threads()
        networks = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 1}
        quick(n_threads=n_threads, callbacks=[threads], **networks).fit(arrays.X, arrays.y)
        assert threads.n == during
        assert torch.get_num_threads() == 3

    def test_after_the_other_verbs(self, fitted_on_array, arrays):
        fitted_on_array.set_params(n_threads=1)
        fitted_on_array.adapt(arrays.X, arrays.y).predict(arrays.X)
        fitted_on_array.partial_fit(arrays.X[:2], ["calm", "tense"])
        assert torch.get_num_threads() == 3

    def test_after_an_error(self, quick, arrays):
        def fail(net, **kwargs):
            raise RuntimeError("halted")

        networks = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 1}
        halting = Callback()
        halting.on_epoch_end = fail
        with pytest.raises(RuntimeError, match="halted"):
            quick(n_threads=1, callbacks=[halting], **networks).fit(arrays.X, arrays.y)
        assert torch.get_num_threads() == 3
