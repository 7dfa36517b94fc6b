"""Callbacks: what is taken, what is refused before training, what scorers are given."""

import re

import numpy as np
import pytest
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, PrintLog

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.training.callbacks import check_callbacks

NETWORKS = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 3}


class Count(Callback):
    begun = 0

    def on_train_begin(self, net, **kwargs):
        Count.begun += 1


def a_function(net):
    """No callback."""


class TestRefused:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (a_function, r"callbacks\[0\] is <function a_function.*must be a skorch callback"),
            (object(), r"callbacks\[0\] is <object .*must be a skorch callback"),
            (int, r"callbacks\[0\] is <class 'int'>.*must be a skorch callback"),
            (("mine", a_function), r"callbacks\[0\] is <function a_function"),
            ((Count(),), r"a tuple must be \(name, callback\)"),
            ((Count(), "mine"), r"a tuple must be \(name, callback\)"),
            (EpochScoring, r"callbacks\[0\] is the class EpochScoring, which needs arguments"),
        ],
    )
    def test_what_is_no_callback(self, quick, arrays, refuses, given, message):
        refuses(
            quick(callbacks=[given], **NETWORKS),
            TypeError,
            message,
            lambda: quick(callbacks=[given], **NETWORKS).fit(arrays.X, arrays.y),
        )

    @pytest.mark.parametrize("names", [("a", "a"), ("best",), ("epochs",)])
    def test_names_that_are_taken(self, names):
        message = re.escape(f"callbacks[{len(names) - 1}] has the name '{names[-1]}'")
        with pytest.raises(ValueError, match=message):
            check_callbacks([(name, Count()) for name in names])

    def test_before_training(self, quick, arrays):
        Count.begun = 0
        with pytest.raises(TypeError, match=r"callbacks\[1\]"):
            quick(callbacks=[Count(), a_function], **NETWORKS).fit(arrays.X, arrays.y)
        assert Count.begun == 0


class TestTaken:
    @pytest.mark.parametrize("given", [Count, Count(), ("mine", Count), ("mine", Count())])
    def test_instances_and_classes(self, quick, arrays, given):
        Count.begun = 0
        quick(callbacks=[given], **NETWORKS).fit(arrays.X, arrays.y)
        assert Count.begun == 2

    def test_early_stopping_ends_each_network(self, quick, arrays):
        lines = []
        stop = EarlyStopping("train_loss", patience=1, threshold=1e9, sink=lines.append)
        # No loss is lower by so much: two epochs without an improvement.
        fitted = quick(callbacks=[stop], **NETWORKS | {"max_epochs": 9}).fit(arrays.X, arrays.y)
        assert [len(epochs) for epochs in fitted.history_] == [2, 2]
        assert len(lines) == 2

    @pytest.mark.parametrize("given", [PrintLog, PrintLog()])
    def test_print_log(self, quick, arrays, capsys, given):
        quick(callbacks=[given], **NETWORKS).fit(arrays.X, arrays.y)
        said = capsys.readouterr().out
        assert "train_loss" in said
        assert len(re.findall(r"^ +\d ", said, re.MULTILINE)) == 6  # a row an epoch


@pytest.fixture(scope="module")
def scored(quick):
    """Forty people, so that a few are held out for validation."""
    data = make_emotion_views(n_people=40, n_clips_per_emotion=1, random_state=0)
    scores = [
        EpochScoring(scoring, lower_is_better=False)
        for scoring in ("balanced_accuracy", "f1_macro", "neg_log_loss")
    ]
    on_train = EpochScoring("accuracy", name="hits", on_train=True)
    classifier = quick(callbacks=[*scores, on_train], **NETWORKS | {"max_epochs": 2})
    views = data.views.select("skin", "pulse")
    return classifier.fit(views, data.target, groups=data.groups)


class TestScoring:
    def test_scores_are_those_of_validation(self, scored):
        for row in (row for epochs in scored.history_ for row in epochs):
            assert row["balanced_accuracy"] == pytest.approx(row["valid_acc"], abs=1e-6)
            assert 0 <= row["f1_macro"] <= 1 and row["neg_log_loss"] < 0
            assert 0 <= row["hits"] <= 1

    def test_they_can_be_saved(self, scored, tmp_path):
        scored.save(tmp_path / "model")
        assert np.isfinite(scored.history_[0][0]["f1_macro"])
