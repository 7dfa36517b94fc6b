"""A planted population that takes moments to learn."""

from typing import NamedTuple

import numpy as np
import pytest

from stf2m_sk.nn.sizes import ModuleSizes
from stf2m_sk.training import learner, meta_train
from stf2m_sk.training.meta_train import TrainingPlan


class Population(NamedTuple):
    """Clips of several people, with what `meta_train` asks for."""

    signals: list
    codes: np.ndarray
    groups: np.ndarray


def _plant(n_people=6, n_clips=4, n_classes=3, seed=0):
    """The emotion is how fast the first modality moves; people have offsets and gains."""
    source = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_people), n_clips * n_classes)
    codes = np.tile(np.arange(n_classes), n_people * n_clips)
    n = len(codes)
    time = np.arange(16)
    phase = source.uniform(0, 2 * np.pi, size=(n, 1))
    moving = np.sin((0.4 + 0.8 * codes[:, None]) * time + phase)
    first = np.stack([moving, -moving], axis=1) + 0.2 * source.normal(size=(n, 2, 16))
    second = source.normal(size=(n, 1, 5))
    gain, offset = source.uniform(1, 2, size=n_people), source.normal(size=n_people)
    first = first * gain[groups, None, None] + offset[groups, None, None]
    first[1, :, 12:] = np.nan
    second[2] = np.nan
    return Population([first.astype(np.float32), second.astype(np.float32)], codes, groups)


@pytest.fixture(scope="session")
def plant():
    """Function that makes a population."""
    return _plant


@pytest.fixture(scope="session")
def sizes():
    """A network for it in which the learned convolutions have most to say."""
    return ModuleSizes(
        n_channels=[2, 1],
        n_timesteps=[16, 5],
        hidden_dim=8,
        embedding_dim=8,
        n_blocks=1,
        n_kernels=2,
        kernel_dim=3,
        n_rules=3,
        rule_dim=3,
        consequent_dim=4,
        dropout=0.1,
    )


@pytest.fixture(scope="module")
def plan():
    """Two epochs of two batches, and little else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meta_train, "_BATCHES_PER_EPOCH", 2)
        patch.setattr(meta_train, "_VALID_BATCHES", 1)
        patch.setattr(meta_train, "_LEARNER_BATCHES", 2)
        patch.setattr(learner, "_STEPS", 4)
        yield TrainingPlan(
            n_way=3,
            n_support=2,
            n_query=2,
            max_epochs=2,
            learning_rate=1e-2,
            view_dropout=0.2,
            validation_fraction=0.2,
            patience=10,
            callbacks=(),
            progress=False,
            device="cpu",
        )
