"""The skorch net that learns from episodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training.answers import (
    EpisodeTensors,
    answer_episodes,
    population_of,
    usable_views,
)
from stf2m_sk.training.augmentation import augment
from stf2m_sk.training.clips import embed_all
from stf2m_sk.training.episodes import EpisodeBatch, EpisodeSampler
from stf2m_sk.training.loss import EpisodeAnswers

__all__ = ["EpisodeBatches", "EpisodicNet", "fitted_net"]

_MOST_REMEMBERED = 1000  # clips that stand for the population during training
_TRAINED = ("module", "criterion")  # arguments, and with an underscore behind what is trained


class EpisodeBatches(NamedTuple):
    """Batches of episodes, drawn anew each time they are iterated over.

    Attributes
    ----------
    sampler : EpisodeSampler
        Draws them.
    n_batches : int
        How many of them.
    """

    sampler: EpisodeSampler
    n_batches: int

    def __iter__(self) -> Iterator[tuple[EpisodeBatch, NDArray]]:
        return ((batch, batch.ways) for batch in self.sampler.batches(self.n_batches))


class EpisodicNet(NeuralNet):
    """A skorch net whose batches are episodes.

    Every clip of a batch passes the encoder once. Each episode's population is all other
    people's clips (without groups: all clips outside the episode), in the embeddings that they
    had when last seen; the clips of the batch itself are in it with their gradients.

    Parameters
    ----------
    module : STF2MModule
        Calibrated network; trained in place.
    criterion : EpisodeLoss
        Loss.
    train_batches : EpisodeBatches
        Episodes of an epoch.
    valid_batches : iterable of (EpisodeBatch, array) or None
        Episodes by which epochs are compared; none by default.
    noise : torch.Generator
        Source of dropout and augmentation, on the device.
    precision : {"float32", "bf16"}, default="float32"
        In which the learned convolutions are computed in training; "bf16" is torch's automatic
        mixed precision.
    **kwargs
        As in `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module,
        criterion,
        *,
        train_batches,
        noise,
        valid_batches=None,
        precision="float32",
        **kwargs,
    ):
        super().__init__(module, criterion, **kwargs)
        self.train_batches = train_batches
        self.valid_batches = valid_batches
        self.noise = noise
        self.precision = precision

    def get_split_datasets(self, X, y=None, **fit_params):
        """Both halves of the loop read the same clips; the episodes tell them apart."""
        return X, (None if self.valid_batches is None else X)

    def get_iterator(self, dataset, training=False):
        """Episodes to iterate over."""
        self.clips_ = dataset
        return self.train_batches if training else self.valid_batches

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run the epoch, then look at the population anew: for validation and the next epoch."""
        if training and not hasattr(self, "memory_"):
            self._remember()
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training:
            self._remember()

    def infer(self, x: EpisodeBatch, **fit_params) -> EpisodeAnswers:
        """Answer a batch of episodes."""
        batch = EpisodeTensors.of(x, self.device)
        noise = self.noise if self.module_.training else None
        rows = batch.rows
        clips = self.clips_.clips.take(rows)
        views = usable_views(batch.views, clips.present)
        if noise is not None:
            clips = augment(clips, noise)
        with torch.autocast(views.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            learned = self.module_.encode(clips, views, noise)
        # Whatever is solved for is solved in float32.
        embeddings, _ = self.module_.assemble(learned.float(), clips, views)
        remembered = self._recall(rows, embeddings)
        knowledge = population_of(batch, self.clips_, self.remembered_rows_, remembered)
        learner, blocks = self.module_.learner, self.module_.block_sizes
        logits = answer_episodes(learner, blocks, batch, embeddings, knowledge)
        learned = embeddings[:, : self.module_.sizes.embedding_dim]
        return EpisodeAnswers(logits, batch.targets(), learned, self.clips_.codes[rows])

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Loss of the answers; `y_true` is not used, the answers carry their targets."""
        if training:
            return self.criterion_(y_pred)
        return self.criterion_.of_validation(y_pred)

    def validation_step(self, batch, **fit_params):
        """Answer without gradients, and note the accuracy."""
        step = super().validation_step(batch, **fit_params)
        self.history.record_batch("valid_acc", step["y_pred"].accuracy().item())
        return step

    def release(self, *finished: str) -> EpisodicNet:
        """Let go of the training clips: a trained net keeps its weights and its history only.

        The callbacks named in `finished` go too: they hold weights or the optimizer's state.
        """
        self.callbacks_ = [named for named in self.callbacks_ if named[0] not in finished]
        self.callbacks = list(self.callbacks_)
        del self.clips_, self.memory_, self.remembered_rows_
        self.train_batches = self.valid_batches = self.noise = None
        return self

    def __getstate__(self):
        """What is pickled: network and loss once, as the parts that skorch moves to a device.

        The arguments `module` and `criterion` are the very objects that are trained. Pickled as
        arguments they would be there twice, and their tensors could not be read on a machine
        without the device that they were trained on.
        """
        state = super().__getstate__()
        trained = [name for name in _TRAINED if _is_trained_in_place(self, name)]
        return state | dict.fromkeys(trained) | {"trained_in_place": trained}

    def __setstate__(self, state):
        """Read the parts to the device that is there; they are the arguments again."""
        trained = state.pop("trained_in_place", ())  # pickles of 0.1.0 have none
        super().__setstate__(state)
        vars(self).update({name: vars(self)[f"{name}_"] for name in trained})

    def _remember(self) -> None:
        """Embed the clips that stand for the population."""
        n_clips = len(self.clips_)
        if n_clips > _MOST_REMEMBERED:
            order = torch.randperm(n_clips, generator=self.noise, device=self.noise.device)
            self.remembered_rows_ = order[:_MOST_REMEMBERED]
        else:
            self.remembered_rows_ = torch.arange(n_clips, device=self.clips_.codes.device)
        self.module_.eval()
        self.memory_ = embed_all(self.module_, self.clips_.clips.take(self.remembered_rows_))

    def _recall(self, rows: Tensor, embeddings: Tensor) -> Tensor:
        """The population as remembered, with the batch's own clips as they are now."""
        at, first = _places(self.remembered_rows_, rows, len(self.clips_))
        memory = self.memory_.clone()
        memory[at] = embeddings[first]
        self.memory_[at] = embeddings[first].detach()
        return memory


def fitted_net(module: STF2MModule, history: list[dict], device: str) -> EpisodicNet:
    """A net around a module that was trained before.

    Parameters
    ----------
    module : STF2MModule
        Trained network.
    history : list of dict
        Figures of its epochs.
    device : str
        Where to put it.

    Returns
    -------
    EpisodicNet
        Initialised, without training clips.
    """
    net = EpisodicNet(
        module.eval(), torch.nn.Identity, train_batches=None, noise=None, device=device, verbose=0
    ).initialize()
    for row in history:
        net.history.append({**row, "batches": []})
    return net


def _is_trained_in_place(net: EpisodicNet, name: str) -> bool:
    argument = vars(net)[name]
    return argument is not None and argument is vars(net).get(f"{name}_")


def _places(remembered: Tensor, rows: Tensor, n_clips: int) -> tuple[Tensor, Tensor]:
    """Where the rows stand in the memory, and their first occurrence among the rows."""
    first_of = torch.full((n_clips,), len(rows), device=rows.device)
    order = torch.arange(len(rows), device=rows.device)
    first_of = first_of.scatter_reduce(0, rows, order, reduce="amin")
    at = torch.nonzero(first_of[remembered] < len(rows)).squeeze(1)
    return at, first_of[remembered[at]]
