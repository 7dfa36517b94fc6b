"""Training of one emotion network by skorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PassthroughScoring
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from stf2m_sk.nn.encoder import EmotionNetwork
from stf2m_sk.nn.signals import Signals
from stf2m_sk.training.augmentation import augment, mixup
from stf2m_sk.training.emotion_net import EmotionNet

__all__ = ["NetworkPlan", "fit_network", "new_network", "tune_network"]

_WEIGHT_DECAY = 0.05
_LABEL_SMOOTHING = 0.1
_STARTS_UP = 0.2  # of all batches: the learning rate rises
_MOST_CLIPS = 1000  # of an epoch: of more, each epoch draws some
_FINE_TUNE_EPOCHS = 10
_COUNTS = ("train_batch_count", "valid_batch_count")  # which skorch records of every epoch
_VALID_SHARE = 0.1  # of the people that a network may see, or of the clips
_FEWEST_PEOPLE = 20  # one or two people say too little: their best epoch was early and bad
_FEWEST_CLIPS = 500  # where people are not known
_CLIPS_AT_ONCE = 256  # in validation: bounds the memory


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
    device: str = "cpu"
    precision: str = "float32"


def new_network(
    signals: Signals, n_classes: int, hidden_dim: int, generator: torch.Generator
) -> EmotionNetwork:
    """A network for clips of these sizes.

    Parameters
    ----------
    signals : Signals
        Clips.
    n_classes, hidden_dim, generator
        As of `EmotionNetwork`.

    Returns
    -------
    EmotionNetwork
        Not trained.
    """
    return EmotionNetwork(
        [values.shape[1] for values in signals.values],
        [values.shape[2] for values in signals.values],
        n_classes,
        hidden_dim=hidden_dim,
        generator=generator,
    )


def fit_network(
    signals: Signals,
    targets: Tensor,
    codes: NDArray[np.integer],
    people: NDArray[np.integer] | None,
    seen: NDArray[np.intp],
    plan: NetworkPlan,
    random_state: np.random.RandomState,
    on_epoch: Callable[[dict], None],
) -> tuple[EmotionNetwork, list[dict]]:
    """Train a network.

    Parameters
    ----------
    signals : Signals
        Standardised clips, on the device of the plan.
    targets : Tensor of shape (n_clips, n_classes)
        Shares of the classes in each clip, on the same device.
    codes : int array of shape (n_clips,)
        Class codes, by which the loss is balanced.
    people : int array of shape (n_clips,) or None
        Codes of the people.
    seen : int array
        Clips to train on. Those of a few of their people are kept for validation, and choose the
        best epoch; of few people none are, and the last epoch is taken.
    plan : NetworkPlan
        How to train.
    random_state : numpy.random.RandomState
        Source of all randomness.
    on_epoch : callable
        Called with the figures of each epoch.

    Returns
    -------
    EmotionNetwork
        In evaluation mode.
    list of dict
        Figures of each epoch.
    """
    generator, noise = _generator(random_state, "cpu"), _generator(random_state, plan.device)
    network = new_network(signals, targets.shape[1], plan.hidden_dim, generator)
    rows, valid_rows = _hold_out(codes, people, seen, random_state)
    batches = _TrainBatches(signals, targets, rows, plan.batch_size, noise)
    net = EmotionNet(
        network,
        _criterion(codes[rows], targets.shape[1]),
        train_batches=batches,
        valid_batches=_ValidBatches(signals, targets, valid_rows) if len(valid_rows) else None,
        noise=noise,
        autocast=_autocast(plan),
        **_optimisation(plan, len(batches), on_epoch, with_validation=len(valid_rows) > 0),
    )
    net.partial_fit(None)
    return network.eval(), [_figures(row) for row in net.history]


def tune_network(
    network: EmotionNetwork,
    signals: Signals,
    targets: Tensor,
    codes: NDArray[np.integer],
    plan: NetworkPlan,
    random_state: np.random.RandomState,
) -> None:
    """Train a network a little further, in place, at a tenth of the learning rate.

    Parameters
    ----------
    network : EmotionNetwork
        Trained.
    signals, targets, codes, plan, random_state
        As for `fit_network`; all clips are trained on, in at most ten epochs.
    """
    network.eval()  # the running moments are not touched; dropout follows the generator
    noise = _generator(random_state, plan.device)
    batches = _TrainBatches(signals, targets, np.arange(len(codes)), plan.batch_size, noise)
    criterion = _criterion(codes, targets.shape[1]).to(plan.device)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=0.1 * plan.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    for _ in range(min(_FINE_TUNE_EPOCHS, plan.max_epochs)):
        for clips, shares in batches:
            with _autocast(plan):
                logits = network(clips, noise)
            optimizer.zero_grad()
            criterion(logits.float(), shares).backward()
            optimizer.step()
    optimizer.zero_grad()


def _figures(row: dict) -> dict:
    """The numbers of an epoch, those of own callbacks among them."""
    return {
        name: value
        for name, value in row.items()
        if isinstance(value, Real) and not isinstance(value, bool) and name not in _COUNTS
    }


def _optimisation(plan, n_batches, on_epoch, *, with_validation) -> dict:
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
    callbacks.append(("epochs", _Epochs(on_epoch)))
    return {
        "optimizer": torch.optim.AdamW,
        "optimizer__param_groups": [("*norm*", {"weight_decay": 0.0})],
        "optimizer__weight_decay": _WEIGHT_DECAY,
        "lr": plan.learning_rate,
        "max_epochs": plan.max_epochs,
        "callbacks": callbacks,
        "callbacks__print_log": None,
        "verbose": 1,  # or PrintLog would say nothing
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


class _Epochs(Callback):
    """Tells a function the figures of each epoch."""

    def __init__(self, on_epoch: Callable[[dict], None]) -> None:
        self.on_epoch = on_epoch

    def on_epoch_end(self, net, **kwargs) -> None:
        """Tell them."""
        self.on_epoch(net.history[-1])


def _criterion(codes, n_classes) -> nn.CrossEntropyLoss:
    """Cross-entropy in which every class with clips counts alike."""
    count = np.bincount(codes, minlength=n_classes)
    weights = np.where(count > 0, len(codes) / np.maximum(count, 1) / (count > 0).sum(), 0.0)
    return nn.CrossEntropyLoss(
        weight=torch.tensor(weights, dtype=torch.float32), label_smoothing=_LABEL_SMOOTHING
    )


def _generator(random_state: np.random.RandomState, device: str) -> torch.Generator:
    seed = int(random_state.randint(np.iinfo(np.int32).max))
    return torch.Generator(device=device).manual_seed(seed)


def _autocast(plan: NetworkPlan) -> torch.autocast:
    kind = torch.device(plan.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=plan.precision == "bf16")


def _say_nothing(*args) -> None:
    """Where skorch would print."""


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
