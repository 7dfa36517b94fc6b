"""Forward selection: against least squares, tried out column by column."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.inspection._selection import forward_selection


def _error(strengths, y, groups, columns):
    """Weighted squared error of all emotions by least squares, half of people's means taken off."""
    values = np.concatenate([strengths[:, columns], 2.0 * (y[:, None] == np.unique(y)) - 1.0], 1)
    for person in np.unique(groups):
        values[groups == person] -= 0.5 * values[groups == person].mean(axis=0)
    root = np.sqrt(1.0 / np.array([(y == own).sum() for own in y]))[:, None]
    n = len(columns)
    design = np.concatenate([np.ones((len(y), 1)), values[:, :n]], axis=1) * root
    targets = values[:, n:] * root
    return ((targets - design @ np.linalg.lstsq(design, targets, rcond=None)[0]) ** 2).sum()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(2, 4))
def test_each_step_takes_the_best_column(seed, n_classes):
    rng = np.random.default_rng(seed)
    strengths, groups = rng.normal(size=(60, 7)), np.arange(60) % 4
    y = (strengths[:, 2] > 0) * 1 + rng.integers(n_classes, size=60)
    chosen = forward_selection(strengths, y, groups, 4)
    for i, own in enumerate(chosen):
        rest = [j for j in range(7) if j not in chosen[:i]]
        errors = [_error(strengths, y, groups, [*chosen[:i], j]) for j in rest]
        assert rest[int(np.argmin(errors))] == own


def test_a_copy_is_nothing_new():
    strengths = np.random.default_rng(0).normal(size=(40, 2))
    strengths = np.concatenate([strengths, strengths], axis=1)
    y = np.where(strengths[:, 0] > 0, "joy", "calm")
    chosen = forward_selection(strengths, y, np.zeros(40), 4)
    assert sorted(column % 2 for column in chosen) == [0, 1]
