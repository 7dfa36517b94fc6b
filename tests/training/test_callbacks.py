"""The progress bar."""

import dataclasses
import pickle
import re

import numpy as np
from skorch.history import History

from stf2m_sk.training.callbacks import ProgressBar
from stf2m_sk.training.meta_train import meta_train


class Epochs:
    """What the bar looks at of a net."""

    def __init__(self, max_epochs):
        self.max_epochs = max_epochs
        self.history = History()

    def add(self, **figures):
        self.history.new_epoch()
        for name, value in figures.items():
            self.history.record(name, value)


def run(epochs, figures, capsys):
    """Drive a bar over epochs, and return its last line."""
    bar = ProgressBar()
    bar.on_train_begin(epochs, X=None, y=None)
    for row in figures:
        epochs.add(**row)
        bar.on_epoch_end(epochs, dataset_train=None, dataset_valid=None)
    bar.on_train_end(epochs, X=None, y=None)
    said = capsys.readouterr()
    assert said.out == ""
    return bar, said.err.replace("\r", "\n").strip().splitlines()[-1]


def test_shows_the_figures_of_the_last_epoch(capsys):
    figures = [
        {"train_loss": 2.0, "valid_loss": 3.0, "valid_acc": 0.25},
        {"train_loss": 1.2345, "valid_loss": 0.5, "valid_acc": 0.75},
    ]
    _, line = run(Epochs(2), figures, capsys)
    assert "meta-training" in line and "2/2" in line
    assert "loss=1.234" in line or "loss=1.235" in line
    assert "valid loss=0.500" in line and "valid accuracy=0.750" in line


def test_shows_the_loss_alone_where_nobody_is_held_out(capsys):
    _, line = run(Epochs(4), [{"train_loss": 1.5, "other": 7.0}], capsys)
    assert "1/4" in line and "loss=1.500" in line
    assert "valid" not in line and "7.0" not in line


def test_can_be_pickled_afterwards_and_used_again(capsys):
    bar, _ = run(Epochs(1), [{"train_loss": 1.5}], capsys)
    assert vars(pickle.loads(pickle.dumps(bar))) == vars(bar) == {}
    bar.on_train_begin(Epochs(3))
    bar.on_train_end(Epochs(3))
    assert "0/3" in capsys.readouterr().err


def test_in_training(plant, sizes, plan, capsys):
    population = plant()
    net, _ = meta_train(
        *population,
        sizes,
        dataclasses.replace(plan, progress=True),
        np.random.RandomState(0),
    )
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.replace("\r", "\n").strip().splitlines()
    assert re.search(r"2/2.*loss=\d.*valid loss=\d.*valid accuracy=[01]\.\d", lines[-1])
    pickle.dumps(net)
