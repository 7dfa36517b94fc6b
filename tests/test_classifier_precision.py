"""Threads and precision of meta-training."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views


def test_default_sizes_with_two_threads():
    """One thread and small networks do not show what goes wrong with more of both."""
    data = make_emotion_views(n_people=4, n_clips_per_emotion=4, random_state=0)
    classifier = STF2MClassifier(n_networks=2, max_epochs=1, n_threads=2, random_state=0)
    classifier.fit(data.views, data.target, groups=data.groups)
    assert all(np.isfinite(rows[0]["train_loss"]) for rows in classifier.history_)
    assert classifier.score(data.views, data.target) > 0.5  # chance is 0.25


def test_bf16_answers_nearly_alike(quick, people, with_networks):
    """It trains networks; what is solved is solved in float64 whatever the precision."""
    classifier = quick(**with_networks.get_params() | {"precision": "bf16"})
    classifier.fit(people.views, people.target, groups=people.groups)
    module = classifier.model_.module
    assert all(p.dtype == torch.float32 for p in module.parameters())
    assert classifier.model_.population.within.dtype == torch.float64
    found, expected = (c.predict_proba(people.new_views) for c in (classifier, with_networks))
    assert found.dtype == expected.dtype
    assert not np.array_equal(found, expected)
    assert_allclose(found, expected, atol=0.1)
