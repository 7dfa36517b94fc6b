"""Threads and precision of meta-training."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.training.net import EpisodicNet


def test_default_sizes_with_two_threads():
    """One thread and small networks do not show what goes wrong with more of both."""
    data = make_emotion_views(n_people=6, random_state=0)
    classifier = STF2MClassifier(max_epochs=1, n_threads=2, random_state=0)
    classifier.fit(data.views, data.target, groups=data.groups)
    assert np.isfinite(classifier.history_[0]["train_loss"])
    assert classifier.score(data.views, data.target) > 0.5  # chance is 0.25


def test_bf16_computes_the_convolutions_in_bf16_and_answers_nearly_alike(quick, people):
    given = {"groups": people.groups, "X": people.views, "y": people.target}
    answers = {}
    for precision in ("float32", "bf16"):
        classifier = quick(precision=precision).fit(**given)
        answers[precision] = classifier.predict_proba(people.new_views)
        assert all(p.dtype == torch.float32 for p in classifier.net_.module_.parameters())
    assert answers["bf16"].dtype == answers["float32"].dtype
    assert not np.array_equal(answers["bf16"], answers["float32"])
    assert_allclose(answers["bf16"], answers["float32"], atol=0.05)


def test_what_is_solved_is_solved_in_float32(quick, people, monkeypatch):
    seen = set()
    recall = EpisodicNet._recall

    def spy(net, rows, embeddings):
        seen.add(embeddings.dtype)
        return recall(net, rows, embeddings)

    monkeypatch.setattr(EpisodicNet, "_recall", spy)
    quick(precision="bf16").fit(people.views, people.target, groups=people.groups)
    assert seen == {torch.float32}


def test_another_precision_is_refused(quick, arrays):
    with pytest.raises(ValueError, match="The 'precision' parameter of STF2MClassifier must be"):
        quick(precision="float16").fit(arrays.X, arrays.y)
