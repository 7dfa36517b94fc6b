"""covering_threshold: against a brute search, and between the two rules of the literature."""

import numpy as np
import pytest

from stf2m_sk.inspection._coverage import covering_threshold


def pooled_quantile(scores, level):
    """Smallest score that covers the level, people counting alike."""
    for value in np.unique(np.concatenate(scores)):
        if np.mean([(own <= value).mean() for own in scores]) >= level - 1e-9:
            return value
    return np.max(np.concatenate(scores))


def left_out(scores, pooled):
    covered = []
    for i, own in enumerate(scores):
        covered.append((own <= pooled_quantile(scores[:i] + scores[i + 1 :], pooled)).mean())
    return np.mean(covered)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [0.5, 0.75])
def test_smallest_pooled_level_that_covers_people_left_out(seed, level):
    generator = np.random.default_rng(seed)
    scores = [
        generator.normal(generator.normal(), 1, size=generator.integers(1, 6)) for _ in range(6)
    ]
    levels = np.linspace(level, min(1, level * 7 / 6), 400)
    enough = [pooled for pooled in levels if left_out(scores, pooled) >= level - 1e-9]
    expected = pooled_quantile(scores, enough[0] if enough else levels[-1])
    assert covering_threshold(scores, level) == expected


def test_people_whose_clips_are_alike_are_single_observations():
    """Then it is split conformal prediction over people: the value of rank ceil(level (n + 1))."""
    scores = [np.full(5, float(value)) for value in np.random.default_rng(0).permutation(19)]
    for level in (0.5, 0.8, 0.9):
        expected = np.ceil(level * 20 - 1e-9) - 1
        assert abs(covering_threshold(scores, level) - expected) <= 1
        assert covering_threshold(scores, level) >= pooled_quantile(scores, level)


def test_clips_without_a_person_need_no_correction():
    generator = np.random.default_rng(0)
    scores = [generator.uniform(size=2000) for _ in range(10)]
    assert covering_threshold(scores, 0.9) == pytest.approx(0.9, abs=0.01)


def test_infinite_scores_are_covered_by_infinity_alone():
    scores = [np.array([np.inf, 0.0])] * 5
    assert covering_threshold(scores, 0.4) == 0.0
    assert covering_threshold(scores, 0.8) == np.inf
