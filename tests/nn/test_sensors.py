"""SensorCheck: planted faults are found, and what is merely absent or short is none."""

import pytest
import torch

from stf2m_sk.nn.sensors import SensorCheck
from stf2m_sk.nn.signals import Standardiser


def signal(n_clips=60, n_channels=2, n_frames=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 5.0 + torch.randn(n_clips, n_channels, n_frames, generator=generator)


def calibrated(*recordings):
    standardiser = Standardiser([own.shape[1] for own in recordings])
    standardiser.calibrate(recordings)
    check = SensorCheck([own.shape[1] for own in recordings])
    check.calibrate(standardiser(recordings))
    return lambda *clips: check(standardiser(clips))


@pytest.fixture(scope="module")
def check():
    return calibrated(signal(), signal(seed=1, n_channels=1))


CLEAN = signal(20, 1, seed=3)


def test_clean_clips_of_others_pass(check):
    assert not check(signal(200, seed=2), signal(200, 1, seed=3)).any()


@pytest.mark.parametrize(
    "fault",
    [
        lambda clip: 0.0 * clip,
        lambda clip: clip.mean(2, keepdim=True).expand_as(clip),
        lambda clip: 1e-3 * clip,
        lambda clip: 1e3 * clip,
        lambda clip: clip + 100 * torch.randn(clip.shape, generator=torch.Generator()),
    ],
    ids=["zeros", "constant", "unit / 1000", "unit x 1000", "noise x 100"],
)
def test_a_fault_is_found_in_its_modality_alone(check, fault):
    clips = signal(20, seed=2)
    assert check(fault(clips), CLEAN).tolist() == [[True, False]] * 20
    one_channel = clips.clone()
    one_channel[:, 1:] = fault(clips[:, 1:])
    assert check(one_channel, CLEAN).tolist() == [[True, False]] * 20


def test_what_is_not_measured_is_no_fault(check):
    clips = signal(20, seed=2)
    clips[:5] = torch.nan
    clips[5:10, 0] = torch.nan
    clips[10:, :, 10:] = torch.nan
    assert not check(clips, CLEAN).any()


def test_gaps_do_not_hide_a_constant(check):
    clips = signal(20, seed=2)
    clips[:, 0] = 9.0
    clips[:, 0, ::2] = torch.nan
    assert check(clips, CLEAN)[:, 0].all()


def test_a_few_frames_may_be_constant(check):
    clips = signal(20, seed=2)
    clips[:, :, 4:] = torch.nan
    clips[:, :, :4] = 5.5
    assert not check(clips, CLEAN).any()


def test_a_constant_is_nothing_new_where_training_clips_are_constant():
    training = signal(100, 1)
    training[:3] = 4.0
    check = calibrated(training)
    assert not check(torch.full((2, 1, 50), 4.0)).any()
    assert check(torch.full((2, 1, 50), 4000.0)).all()
    assert not calibrated(torch.full((5, 1, 50), 4.0))(torch.full((2, 1, 50), 4.0)).any()
