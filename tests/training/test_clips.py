"""The clips of a fit, and their embeddings."""

import pytest
import torch

from stf2m_sk.nn.clips import Clips
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import clips as clips_file
from stf2m_sk.training.clips import TrainingClips, embed_all


@pytest.fixture
def ready(plant, sizes):
    """A calibrated network and prepared clips."""
    signals = [torch.from_numpy(signal) for signal in plant().signals]
    source = torch.Generator().manual_seed(0)
    module = STF2MModule(sizes, generator=source)
    module.calibrate(signals, generator=source)
    return module, module.prepare(signals)


def test_embed_all_takes_parts(ready, monkeypatch):
    module, clips = ready
    expected = module.embed(clips)
    for n_at_once in (7, 72, 1000):
        monkeypatch.setattr(clips_file, "_CLIPS_AT_ONCE", n_at_once)
        embeddings = embed_all(module, clips)
        torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-5)
        assert not embeddings.requires_grad


def test_training_clips(plant, ready):
    population, (_, clips) = plant(), ready
    dataset = TrainingClips(clips, population.codes, population.groups, 5)
    assert len(dataset) == len(population.codes) == 72
    assert isinstance(dataset.clips, Clips)
    assert dataset.membership.shape == (72, 5)
    assert dataset.membership.dtype == clips.present.dtype
    assert dataset.membership.argmax(1).tolist() == population.codes.tolist()
    assert (dataset.membership.sum(1) == 1).all()
    assert dataset.codes.tolist() == population.codes.tolist()
    assert dataset.groups.tolist() == population.groups.tolist()
    assert TrainingClips(clips, population.codes, None, 3).groups is None
