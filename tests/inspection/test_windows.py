"""Antecedents: what a rule is said to respond to is what makes it fire."""

import numpy as np
import pytest
import torch

from stf2m_sk.inspection._windows import antecedents, mean_course
from stf2m_sk.nn.kernels import RampRules
from stf2m_sk.nn.module import ModuleSizes, STF2MModule
from stf2m_sk.nn.patterns import PatternRules


@pytest.fixture(scope="module")
def placed():
    """A module with rules, and clips of two modalities with frames that are not measured."""
    generator = torch.Generator().manual_seed(0)
    module = STF2MModule(ModuleSizes([2, 1], [600, 40], 12, 32), generator=generator)
    recordings = [torch.randn(20, n, t, generator=generator) for n, t in ((2, 600), (1, 40))]
    recordings[0][3, :, 100:] = torch.nan
    module.standardiser.calibrate(recordings)
    signals = module.standardiser(recordings)
    module.calibrate_rules(signals)
    for rules, values, frames in zip(module.patterns, signals.values, signals.frames, strict=True):
        for group, windows in enumerate(rules.windows(values, frames)):
            rules.place(group, windows[:: len(windows) // 8][:8])
    return module, signals, [own.numpy() for own in recordings]


def test_activity_makes_rules_fire(placed):
    module, signals, _ = placed
    strengths = module.strengths(signals).numpy()
    clips = np.arange(20)
    ramps = {}
    for i, own in enumerate(module.ramps):
        for kernel in range(len(own.taps)):
            for ramp in range(own.lower.shape[1]):
                ramps[len(ramps)] = (own, kernel, ramp)
        for _ in range(module.patterns[i].n_rules):
            ramps[len(ramps)] = None
    looks = antecedents(module, signals)
    for rule, column in enumerate(module.columns.tolist()):
        own, activity = looks[rule], looks[rule].activity(clips)
        rules: RampRules | PatternRules = module.patterns[own.modality]
        if ramps[column] is not None:
            rules, kernel, ramp = ramps[column]
            lower, width = (float(b[kernel, ramp]) for b in (rules.lower, rules.width))
            activity = ((activity - lower) / width).clip(0.0, 1.0)
            expected_scale = 1.0
        else:
            expected_scale = None
        measured = signals.frames[own.modality].numpy()[:, :: rules.stride]
        if expected_scale is None:  # pattern: memberships are shares of the clip already
            found = activity[:, :: rules.stride].sum(axis=1)
        else:
            found = (activity[:, :: rules.stride] * measured).sum(axis=1) / measured.sum(axis=1)
        np.testing.assert_allclose(found, strengths[:, rule], atol=2e-5)


def test_the_mean_of_what_is_planted(placed):
    """A kernel of one channel that sees a step planted into noise finds the step again."""
    module, signals, _ = placed
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(30, 1, 40)).astype(np.float32) * 0.05 + 5.0
    places = rng.integers(12, 28, size=30)
    noise += (np.arange(40) >= places[:, None])[:, None] * 2.0
    taps = np.repeat([-1.0, 0.0, 1.0], [4, 1, 4])
    response = np.stack([np.convolve(own[0] - own[0].mean(), -taps, "same") for own in noise])
    [own] = [look for look in antecedents(module, signals) if look.modality == 1][:1]
    own = own._replace(mixtures=np.ones((1, 1)), activity=lambda clips: response[clips])
    course = mean_course(own, np.arange(30), False, noise, np.ones(1), 8)
    assert course.weights.tolist() == [1.0]
    assert course.usual == pytest.approx(noise.mean(), rel=1e-5)
    assert np.ptp(course.values) == pytest.approx(2.0, abs=0.1)
    assert course.values[:6].mean() == pytest.approx(5.0, abs=0.1)
    assert course.values[-6:].mean() == pytest.approx(7.0, abs=0.1)
    upside_down = mean_course(own, np.arange(30), True, noise, np.ones(1), 8)
    assert np.ptp(upside_down.values) < 1.0


def test_weights_are_of_signals_in_their_units(placed):
    module, signals, recordings = placed
    own = next(look for look in antecedents(module, signals) if look.modality == 0)
    own = own._replace(mixtures=np.array([[-1.0, 1.0]]))
    course = mean_course(own, np.arange(20), False, recordings[0], np.array([0.5, 2.0]), own.reach)
    np.testing.assert_allclose(course.weights, [0.8, -0.2])
