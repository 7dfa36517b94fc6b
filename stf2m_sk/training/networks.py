"""Training of the emotion networks, cross-fitted over people."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.encoder import EmotionNetwork, NetworkEnsemble
from stf2m_sk.nn.signals import Signals
from stf2m_sk.training.checkpoint import NO_CHECKPOINT, Checkpoint, TrainedNetwork
from stf2m_sk.training.network_fitting import (
    NetworkPlan,
    fit_network,
    new_network,
    tune_network,
)

__all__ = ["CrossFitted", "fine_tune", "train_networks"]

_CLIPS_AT_ONCE = 256  # in inference: bounds the memory
# How a figure of an epoch is shown.
_SHOWN = {"train_loss": "loss", "valid_loss": "valid loss", "valid_acc": "valid accuracy"}


def _say_nothing(share: float, said: str) -> None:
    """Show no progress."""


class CrossFitted(NamedTuple):
    """Trained networks and what they say of clips that they have not seen.

    Attributes
    ----------
    ensemble : NetworkEnsemble
        In evaluation mode, on the device of the plan.
    log_probabilities : Tensor of shape (n_clips, n_classes)
        Of every training clip, by the one network that saw neither it nor its person. float32,
        on the CPU.
    history : list of list of dict
        For each network and epoch: `epoch`, `train_loss`, `dur` (seconds), and where clips were
        held out for validation `valid_loss` and `valid_acc` (balanced accuracy). Numbers that own
        callbacks record are there, too.
    """

    ensemble: NetworkEnsemble
    log_probabilities: Tensor
    history: list[list[dict]]


def train_networks(
    signals: Signals,
    codes: NDArray[np.integer],
    people: NDArray[np.integer] | None,
    n_classes: int,
    plan: NetworkPlan,
    random_state: np.random.RandomState,
    shares: NDArray[np.floating] | None = None,
    *,
    report: Callable[[float, str], None] = _say_nothing,
    checkpoint: Checkpoint = NO_CHECKPOINT,
) -> CrossFitted:
    """Train networks of one kind, each without one part of the people.

    People are dealt into as many folds as there are networks, those of rare classes first, so
    that every fold gets some of them. Each network is trained on all folds but its own.

    Parameters
    ----------
    signals : Signals
        Standardised clips, on any device.
    codes : int array of shape (n_clips,)
        Class codes.
    people : int array of shape (n_clips,) or None
        Codes of the people. If None, or if all clips are of one person, folds are made of clips,
        stratified by class.
    n_classes : int
        Number of classes; some of them may have no clip.
    plan : NetworkPlan
        How to train. Of fewer people than `n_networks`, each is a fold.
    random_state : numpy.random.RandomState
        Source of all randomness.
    shares : float array of shape (n_clips, n_classes), default=None
        Shares of the classes in each clip, the targets; None: those of the codes.
    report : callable, default=says nothing
        Called after each epoch with the share of the work that is done and a text about it.
    checkpoint : Checkpoint, default=keeps nothing
        Networks in it are taken; others are kept in it once they are trained.

    Returns
    -------
    CrossFitted
        The networks, and log-probabilities of the clips.

    Raises
    ------
    ValueError
        If fewer than two networks are asked for, or there are fewer than two clips.

    Notes
    -----
    Ours. A small part of the people that a network may see (without people: of the clips) is
    kept for validation; the weights of the best epoch are taken. Of fewer than 20 people (500
    clips) none are kept, and the last epoch's weights are taken.
    """
    _check(codes, people, n_classes, plan)
    if people is not None and len(np.unique(people)) == 1:
        people = None
    folds = _deal(codes, people, plan.n_networks, random_state)
    signals = _to(signals, plan.device)
    if shares is None:
        targets = _one_hot(codes, n_classes, plan.device)
    else:
        targets = torch.tensor(shares, dtype=torch.float32, device=plan.device)
    n_folds = int(folds.max()) + 1

    def new() -> EmotionNetwork:
        return new_network(signals, n_classes, plan.hidden_dim, torch.Generator()).to(plan.device)

    trained = checkpoint.read(new, random_state)
    for fold in range(len(trained), n_folds):
        seen, unseen = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        on_epoch = _reporter(report, fold, n_folds, plan.max_epochs)
        network, history = fit_network(
            signals, targets, codes, people, seen, plan, random_state, on_epoch
        )
        answers = _answer(network, signals, torch.from_numpy(unseen))
        trained.append(TrainedNetwork(network, answers, history))
        checkpoint.write(trained, random_state)
    log_probabilities = torch.empty(len(codes), n_classes)
    for fold, one in enumerate(trained):
        log_probabilities[torch.from_numpy(folds == fold)] = one.log_probabilities
    ensemble = NetworkEnsemble([one.network for one in trained]).eval()
    return CrossFitted(ensemble, log_probabilities, [one.history for one in trained])


def fine_tune(
    ensemble: NetworkEnsemble,
    signals: Signals,
    codes: NDArray[np.integer],
    plan: NetworkPlan,
    random_state: np.random.RandomState,
) -> NetworkEnsemble:
    """Train copies of the networks a little further on the labelled clips of a person.

    Parameters
    ----------
    ensemble : NetworkEnsemble
        Trained networks; not changed.
    signals : Signals
        Standardised clips of the person.
    codes : int array of shape (n_clips,)
        Class codes, as they were in training.
    plan : NetworkPlan
        How to train: at most ten epochs, at a tenth of `learning_rate`.
    random_state : numpy.random.RandomState
        Source of all randomness.

    Returns
    -------
    NetworkEnsemble
        In evaluation mode, on the device of the plan.

    Raises
    ------
    ValueError
        If there is no clip, or not one code a clip.

    Notes
    -----
    Ours. The running moments of the normalisation stay those of the population.
    """
    if not len(codes) or len(codes) != len(signals.present):
        raise ValueError(
            f"fine-tuning needs a code for each of at least one clip, got {len(codes)} codes and "
            f"{len(signals.present)} clips"
        )
    tuned = copy.deepcopy(ensemble).to(plan.device)
    signals = _to(signals, plan.device)
    for network in tuned.networks:
        targets = _one_hot(codes, network.head.out_features, plan.device)
        tune_network(network, signals, targets, codes, plan, random_state)
    return tuned.eval()


def _check(codes, people, n_classes, plan) -> None:
    if plan.n_networks < 2:
        raise ValueError(
            f"n_networks must be at least 2, got {plan.n_networks}: what a network says of the "
            "clips that it was trained on is no measure of what it says of new people, so every "
            "clip needs a network that has not seen it"
        )
    if len(codes) < 2:
        raise ValueError(f"cross-fitted networks need at least two clips, got {len(codes)}")
    if people is not None and len(people) != len(codes):
        raise ValueError(f"got {len(people)} codes of people for {len(codes)} clips")
    if codes.min() < 0 or codes.max() >= n_classes:
        raise ValueError(f"class codes must be in 0 to {n_classes - 1}")


def _deal(codes, people, n_folds, random_state) -> NDArray[np.intp]:
    """Fold of every clip: (n_clips,). None is empty."""
    if people is None:
        n_folds = min(n_folds, len(codes))
        order = random_state.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        folds = np.empty(len(codes), int)
        folds[order] = np.arange(len(codes)) % n_folds
        return folds
    names, person = np.unique(people, return_inverse=True)
    shown = np.zeros((len(names), codes.max() + 1), bool)
    shown[person, codes] = True
    rarity = np.where(shown, shown.sum(0), len(names)).min(1)
    order = random_state.permutation(len(names))
    order = order[np.argsort(rarity[order], kind="stable")]
    fold_of_person = np.empty(len(names), int)
    fold_of_person[order] = np.arange(len(names)) % min(n_folds, len(names))
    return fold_of_person[person]


def _reporter(report, fold: int, n_folds: int, max_epochs: int) -> Callable[[dict], None]:
    """What takes the figures of an epoch and reports how far all networks are."""

    def on_epoch(row: dict) -> None:
        figures = [f"{said} {row[name]:.3f}" for name, said in _SHOWN.items() if name in row]
        said = ", ".join([f"network {fold + 1} of {n_folds}", *figures])
        report((fold + row["epoch"] / max_epochs) / n_folds, said)

    return on_epoch


@torch.no_grad()
def _answer(network: EmotionNetwork, signals: Signals, rows: Tensor) -> Tensor:
    device = signals.present.device
    parts = [
        network(signals.take(part.to(device))).log_softmax(1).cpu()
        for part in rows.split(_CLIPS_AT_ONCE)
    ]
    return torch.cat(parts)


def _to(signals: Signals, device: str) -> Signals:
    return Signals(
        tuple(values.to(device, torch.float32) for values in signals.values),
        tuple(frames.to(device, torch.float32) for frames in signals.frames),
        signals.present.to(device, torch.float32),
    )


def _one_hot(codes, n_classes, device) -> Tensor:
    return F.one_hot(torch.from_numpy(np.asarray(codes, np.int64)), n_classes).float().to(device)
