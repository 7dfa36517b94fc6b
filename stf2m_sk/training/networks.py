"""Training of the emotion networks, cross-fitted over people."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PassthroughScoring
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm

from stf2m_sk.nn.encoder import EmotionNetwork, NetworkEnsemble
from stf2m_sk.nn.signals import Signals
from stf2m_sk.training.augmentation import augment, mixup

__all__ = ["CrossFitted", "NetworkPlan", "fine_tune", "train_networks"]

_WEIGHT_DECAY = 0.05
_LABEL_SMOOTHING = 0.1
_STARTS_UP = 0.2  # of all batches: the learning rate rises
_VALID_SHARE = 0.1  # of the people that a network may see, or of the clips
_FEWEST_PEOPLE = 20  # one or two people say too little: their best epoch was early and bad
_FEWEST_CLIPS = 500  # where people are not known
_MOST_CLIPS = 1000  # of an epoch: of more, each epoch draws some
_CLIPS_AT_ONCE = 256  # in inference: bounds the memory
_FINE_TUNE_EPOCHS = 10
_FIGURES = ("epoch", "train_loss", "valid_loss", "valid_acc", "dur")


@dataclass(frozen=True)
class NetworkPlan:
    """How to train the networks.

    Parameters
    ----------
    n_networks : int
        Number of networks, and of folds: at least 2.
    hidden_dim : int
        Width of a network.
    max_epochs : int
        Most passes over the training clips; of more than 1,000, a pass draws so many.
    learning_rate : float
        Largest learning rate of the one-cycle schedule.
    batch_size : int
        Clips of a batch.
    patience : int
        Epochs without a higher validation accuracy after which training stops.
    callbacks : sequence
        More skorch callbacks, or pairs of name and callback; each network is trained with them.
    progress : bool
        Whether to show a progress bar.
    device : str
        Where to train.
    precision : {"float32", "bf16"}
        "bf16" is torch's automatic mixed precision; inference is in float32 always.
    """

    n_networks: int = 3
    hidden_dim: int = 64
    max_epochs: int = 25
    learning_rate: float = 3e-3
    batch_size: int = 32
    patience: int = 10
    callbacks: Sequence = field(default=())
    progress: bool = False
    device: str = "cpu"
    precision: str = "float32"


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
        held out for validation `valid_loss` and `valid_acc` (balanced accuracy).
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
    networks, history = [], []
    log_probabilities = torch.empty(len(codes), n_classes)
    for fold in range(n_folds):
        seen = np.flatnonzero(folds != fold)
        label = f"network {fold + 1} of {n_folds}"
        network, figures = _train(signals, targets, codes, people, seen, plan, random_state, label)
        networks.append(network)
        history.append(figures)
        unseen = torch.from_numpy(np.flatnonzero(folds == fold))
        log_probabilities[unseen] = _answer(network, signals, unseen)
    return CrossFitted(NetworkEnsemble(networks).eval(), log_probabilities, history)


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
        _fine_tune_one(network, signals, codes, plan, random_state)
    return tuned.eval()


def _fine_tune_one(network, signals, codes, plan, random_state) -> None:
    network.eval()  # the running moments are not touched; dropout follows the generator
    n_classes = network.head.out_features
    noise = _generator(random_state, plan.device)
    batches = _TrainBatches(
        signals, _one_hot(codes, n_classes, plan.device), _all(codes), plan.batch_size, noise
    )
    criterion = _criterion(codes, n_classes).to(plan.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=0.1 * plan.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    for _ in range(min(_FINE_TUNE_EPOCHS, plan.max_epochs)):
        for clips, targets in batches:
            with _autocast(plan):
                logits = network(clips, noise)
            optimizer.zero_grad()
            criterion(logits.float(), targets).backward()
            optimizer.step()
    optimizer.zero_grad()


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


def _hold_out(codes, people, seen, random_state) -> tuple[NDArray, NDArray]:
    """Rows to train on and rows for validation, of those that a network may see."""
    if people is not None:
        names = random_state.permutation(np.unique(people[seen]))
        n_held = round(_VALID_SHARE * len(names))
        held = np.isin(people[seen], names[:n_held] if len(names) >= _FEWEST_PEOPLE else [])
    else:
        n_held = int(_VALID_SHARE * len(seen)) if len(seen) >= _FEWEST_CLIPS else 0
        held = np.zeros(len(seen), bool)
        order = random_state.permutation(len(seen))
        order = order[np.argsort(codes[seen][order], kind="stable")]
        held[order[np.linspace(0, len(seen) - 1, n_held).astype(int)]] = True
    return seen[~held], seen[held]


def _train(
    signals, targets, codes, people, seen, plan, random_state, label
) -> tuple[EmotionNetwork, list[dict]]:
    """One network, and the figures of its epochs."""
    network = EmotionNetwork(
        [values.shape[1] for values in signals.values],
        [values.shape[2] for values in signals.values],
        targets.shape[1],
        hidden_dim=plan.hidden_dim,
        generator=_generator(random_state, "cpu"),
    )
    noise = _generator(random_state, plan.device)
    rows, valid_rows = _hold_out(codes, people, seen, random_state)
    batches = _TrainBatches(signals, targets, rows, plan.batch_size, noise)
    net = _EmotionNet(
        network,
        _criterion(codes[rows], targets.shape[1]),
        train_batches=batches,
        valid_batches=_ValidBatches(signals, targets, valid_rows) if len(valid_rows) else None,
        noise=noise,
        autocast=_autocast(plan),
        **_optimisation(plan, len(batches), label, with_validation=len(valid_rows) > 0),
    )
    net.partial_fit(None)
    figures = [{name: row[name] for name in _FIGURES if name in row} for row in net.history]
    return network.eval(), figures


def _optimisation(plan, n_batches, label, *, with_validation) -> dict:
    n_steps = plan.max_epochs * n_batches + 1
    schedule = LRScheduler(
        OneCycleLR,
        max_lr=plan.learning_rate,
        total_steps=n_steps,
        pct_start=max(_STARTS_UP, 2 / n_steps),  # torch divides by this part's steps less one
        step_every="batch",
    )
    callbacks = [("schedule", schedule)]
    if with_validation:
        best = EarlyStopping(
            "valid_acc",
            patience=plan.patience,
            lower_is_better=False,
            load_best=True,
            sink=_say_nothing,
        )
        score = PassthroughScoring("valid_acc", lower_is_better=False)
        callbacks += [("valid_acc", score), ("best", best)]
    callbacks += [
        callback if isinstance(callback, tuple) else (f"own_{i}", callback)
        for i, callback in enumerate(plan.callbacks)
    ]
    if plan.progress:
        callbacks.append(("progress", _ProgressBar(label)))
    return {
        "optimizer": torch.optim.AdamW,
        "optimizer__param_groups": [("*norm*", {"weight_decay": 0.0})],
        "optimizer__weight_decay": _WEIGHT_DECAY,
        "lr": plan.learning_rate,
        "max_epochs": plan.max_epochs,
        "callbacks": callbacks,
        "callbacks__print_log": None,
        "verbose": 0,
        "device": plan.device,
    }


class _TrainBatches:
    """Batches of perturbed and mixed clips, drawn anew each time they are iterated over."""

    def __init__(self, signals, targets, rows, batch_size, noise):
        self.signals, self.targets, self.noise = signals, targets, noise
        self.rows = torch.from_numpy(rows).to(noise.device)
        self.n_clips = min(len(rows), _MOST_CLIPS)
        self.n_batches = -(-self.n_clips // batch_size)

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[tuple[Signals, Tensor]]:
        noise = self.noise
        order = torch.randperm(len(self.rows), generator=noise, device=noise.device)
        order = order[: self.n_clips]
        for rows in self.rows[order].tensor_split(self.n_batches):  # of nearly one size
            clips = augment(self.signals.take(rows), noise)
            yield mixup(clips, self.targets[rows], noise)


class _ValidBatches:
    """The clips held out, as they are."""

    def __init__(self, signals, targets, rows):
        self.signals, self.targets = signals, targets
        self.rows = torch.from_numpy(rows).to(targets.device)
        count = targets[self.rows].sum(0)
        self.class_weights = len(rows) / (count.clamp_min(1.0) * (count > 0).sum())

    def __iter__(self) -> Iterator[tuple[Signals, Tensor]]:
        for rows in self.rows.split(_CLIPS_AT_ONCE):
            yield self.signals.take(rows), self.targets[rows]


class _EmotionNet(NeuralNet):
    """A skorch net around an emotion network, which is trained in place.

    Parameters
    ----------
    module : EmotionNetwork
        Network.
    criterion : torch.nn.Module
        Loss of logits and target probabilities.
    train_batches, valid_batches : iterable of (Signals, Tensor), valid_batches may be None
        Clips on the device, and target probabilities.
    noise : torch.Generator
        Source of dropout, on the device.
    autocast : context manager
        Entered when the network is evaluated.
    **kwargs
        As in `skorch.NeuralNet`.

    Notes
    -----
    Callbacks stop the training of a network as usual in skorch, by a KeyboardInterrupt at the end
    of an epoch. Any other KeyboardInterrupt is passed on when the callbacks have been told that
    the training has ended; skorch itself would swallow it.
    """

    def __init__(
        self, module, criterion, *, train_batches, valid_batches, noise, autocast, **kwargs
    ):
        super().__init__(module, criterion, **kwargs)
        self.train_batches = train_batches
        self.valid_batches = valid_batches
        self.noise = noise
        self.autocast = autocast

    def get_split_datasets(self, X, y=None, **fit_params):
        """Batches to train on and for validation."""
        return self.train_batches, self.valid_batches

    def get_iterator(self, dataset, training=False):
        """Batches as they are."""
        return dataset

    def infer(self, x: Signals, **fit_params) -> Tensor:
        """Logits, in float32."""
        with self.autocast:
            logits = self.module_(x, self.noise if self.module_.training else None)
        return logits.float()

    def validation_step(self, batch, **fit_params):
        """Loss, and hits weighted by class: their mean is the balanced accuracy."""
        step = super().validation_step(batch, **fit_params)
        truth = batch[1].argmax(1)
        hits = (step["y_pred"].argmax(1) == truth) * self.valid_batches.class_weights[truth]
        self.history.record_batch("valid_acc", hits.mean().item())
        return step

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train on, and pass an interruption on."""
        self.interruption_ = None
        super().partial_fit(X, y, classes, **fit_params)
        if self.interruption_ is not None:
            raise self.interruption_
        return self

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        """Loop over epochs until a callback stops it."""
        try:
            return super().fit_loop(X, y, epochs, **kwargs)
        except _StoppedByCallback:
            return self
        except KeyboardInterrupt as interruption:
            self.interruption_ = interruption
            raise

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; a KeyboardInterrupt at the end of an epoch is their way to stop."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as stop:
            if method_name != "on_epoch_end":
                raise
            raise _StoppedByCallback from stop


class _StoppedByCallback(Exception):
    """A callback has ended the training of a network."""


class _ProgressBar(Callback):
    """A bar over the epochs of a network."""

    def __init__(self, label: str) -> None:
        self.label = label

    def on_train_begin(self, net, **kwargs) -> None:
        """Open the bar."""
        self.bar_ = tqdm(total=net.max_epochs, desc=self.label, unit="epoch")

    def on_epoch_end(self, net, **kwargs) -> None:
        """Move on by an epoch."""
        epoch = net.history[-1]
        names = {"train_loss": "loss", "valid_loss": "valid loss", "valid_acc": "valid accuracy"}
        figures = {shown: f"{epoch[name]:.3f}" for name, shown in names.items() if name in epoch}
        self.bar_.set_postfix(figures, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs) -> None:
        """Close the bar."""
        self.bar_.close()


def _criterion(codes, n_classes) -> nn.CrossEntropyLoss:
    """Cross-entropy in which every class with clips counts alike."""
    count = np.bincount(codes, minlength=n_classes)
    weights = np.where(count > 0, len(codes) / np.maximum(count, 1) / (count > 0).sum(), 0.0)
    return nn.CrossEntropyLoss(
        weight=torch.tensor(weights, dtype=torch.float32), label_smoothing=_LABEL_SMOOTHING
    )


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


def _all(codes) -> NDArray[np.intp]:
    return np.arange(len(codes))


def _generator(random_state: np.random.RandomState, device: str) -> torch.Generator:
    seed = int(random_state.randint(np.iinfo(np.int32).max))
    return torch.Generator(device=device).manual_seed(seed)


def _autocast(plan: NetworkPlan) -> torch.autocast:
    kind = torch.device(plan.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=plan.precision == "bf16")


def _say_nothing(*args) -> None:
    """Where skorch would print."""
