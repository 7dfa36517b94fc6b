"""Meta-training from ready arrays to a fitted net and the population's knowledge."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import EarlyStopping, LRScheduler, PassthroughScoring
from torch.optim.lr_scheduler import OneCycleLR

from stf2m_sk.fuzzy import place_rules
from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.sizes import ModuleSizes
from stf2m_sk.training.callbacks import ProgressBar
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.distrust import choose_distrust
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.holdout import halve, hold_out
from stf2m_sk.training.learner import train_learner
from stf2m_sk.training.loss import EpisodeLoss
from stf2m_sk.training.net import EpisodeBatches, EpisodicNet
from stf2m_sk.training.ridge import choose_ridges, choose_rules_share

__all__ = ["TrainingPlan", "gather_population", "meta_train"]

_EPISODES_PER_BATCH = 4
_BATCHES_PER_EPOCH = 10
_PASSES_PER_EPOCH = 16  # over the clips, at most: a small set gets fewer batches
_VALID_BATCHES = 4
_DISTRUST_BATCHES = 12
_LEARNER_BATCHES = 10  # for each half of the people
_WEIGHT_DECAY = 0.05
_UNKNOWN_SHARE = 0.25
_LEARNER_SPEED = 10.0  # the learner's few numbers are logarithms and gates: they may move faster
_UNSEEN_DISTRUST = 10.0  # where nobody is held out who could tell how far to trust the training
_STARTS_UP = 0.15  # of all batches


@dataclass(frozen=True)
class TrainingPlan:
    """How to meta-train; see the parameters of `STF2MClassifier`."""

    n_way: int
    n_support: int
    n_query: int
    max_epochs: int
    learning_rate: float
    view_dropout: float
    validation_fraction: float
    patience: int
    callbacks: Sequence
    progress: bool
    device: str
    rule_placement: str = "c-means"
    rules: bool = True
    meta_rnn: bool = True
    precision: str = "float32"


def meta_train(
    signals: Sequence[NDArray[np.float32]],
    codes: NDArray[np.integer],
    groups: NDArray[np.integer] | None,
    sizes: ModuleSizes,
    plan: TrainingPlan,
    random_state: np.random.RandomState,
) -> tuple[EpisodicNet, MetaKnowledge]:
    """Meta-train a network on a population.

    Random kernels, principal components and fuzzy rules are read off the training clips, without
    a gradient; the learned convolutions are then trained on episodes, and at last the
    meta-recurrent learner on those of people held out.

    Parameters
    ----------
    signals : sequence of float32 array (n_clips, n_channels, n_timesteps)
        One array a modality, NaN where not measured.
    codes : int array of shape (n_clips,)
        Class codes.
    groups : int array of shape (n_clips,) or None
        Codes of the people.
    sizes : ModuleSizes
        Sizes of the network.
    plan : TrainingPlan
        How to train.
    random_state : numpy.random.RandomState
        Source of all randomness.

    Returns
    -------
    net : EpisodicNet
        Trained net; its best weights if some people (or clips) were held out.
    knowledge : MetaKnowledge
        Of the whole population, those held out included.
    """
    seeds = random_state.randint(np.iinfo(np.int32).max, size=3)
    generator = torch.Generator().manual_seed(int(seeds[0]))
    module = STF2MModule(sizes, generator=generator)
    held_out = hold_out(codes, groups, plan.validation_fraction, random_state)
    tensors = [torch.from_numpy(signal) for signal in signals]
    seen = torch.from_numpy(np.flatnonzero(~held_out))
    module.calibrate([tensor[seen] for tensor in tensors], generator=generator)
    module.to(plan.device)
    with torch.no_grad():
        clips = module.prepare([tensor.to(plan.device) for tensor in tensors])
    n_classes = int(codes.max()) + 1
    dataset = TrainingClips(clips, codes, groups, n_classes)
    parts = module.kernel_parts(clips)
    ridges = choose_ridges(*parts, dataset.membership, groups, random_state)
    if ridges is not None:
        module.start_ridges(*ridges)
    _start_rules(module, clips.take(seen.to(plan.device)), plan.rule_placement, random_state)
    _trust_rules(module, dataset, groups, random_state)
    if not plan.rules:
        module.silence_rules()
    if not plan.meta_rnn:
        module.silence_learner()
    sampler = partial(
        EpisodeSampler,
        codes,
        groups,
        n_modalities=len(signals),
        n_way=plan.n_way,
        n_support=plan.n_support,
        n_query=plan.n_query,
        n_episodes=_EPISODES_PER_BATCH,
        generator=np.random.default_rng(int(seeds[2])),
    )
    train = sampler(
        among=seen.numpy(), view_dropout=plan.view_dropout, unknown_share=_UNKNOWN_SHARE
    )
    n_batches = _n_batches(train, len(seen))
    new = None
    if held_out.any():
        among = np.flatnonzero(held_out)
        new = sampler(among=among, view_dropout=0.0, unknown_share=_UNKNOWN_SHARE)
    net = EpisodicNet(
        module,
        EpisodeLoss(sizes.embedding_dim, n_classes, generator=generator),
        noise=torch.Generator(device=plan.device).manual_seed(int(seeds[1])),
        train_batches=EpisodeBatches(train, n_batches),
        valid_batches=None if new is None else list(EpisodeBatches(new, _VALID_BATCHES)),
        precision=plan.precision,
        **_optimisation(plan, n_batches, with_validation=new is not None),
    )
    module.learner.requires_grad_(False)  # on the encoder's own people it would learn to trust it
    net.partial_fit(dataset)
    module.learner.requires_grad_(True)
    if not sizes.spatial:
        module.silence_training()
    elif new is not None:
        choose_distrust(module, dataset, list(new.batches(_DISTRUST_BATCHES)))
    else:
        module.distrust_training(_UNSEEN_DISTRUST)
    halves = halve(codes, groups, random_state) if plan.meta_rnn else None
    if halves is not None:
        ordered = partial(sampler, view_dropout=0.0, unknown_share=_UNKNOWN_SHARE, ordered_share=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of people left out: said once, above
            samplers = [ordered(among=rows) for rows in halves]
        train_learner(module, dataset, [list(one.batches(_LEARNER_BATCHES)) for one in samplers])
    module.eval()
    knowledge = gather_population(module, dataset)
    if not plan.meta_rnn:
        knowledge = knowledge.without_differences()
    return net.release("best", "schedule"), knowledge


def gather_population(module: STF2MModule, dataset: TrainingClips) -> MetaKnowledge:
    """Sum up all clips, as they are embedded now."""
    embeddings = embed_all(module, dataset.clips)
    weights = torch.ones(len(dataset), device=embeddings.device)
    return gather_knowledge(embeddings, dataset.membership, weights, dataset.people())


def _start_rules(module, clips, placement, random_state) -> None:
    points = module.aim_rules(clips)
    values = points.cpu().numpy().astype(np.float64)
    n_distinct = len(np.unique(values, axis=0))
    placed = place_rules(
        values,
        min(module.sizes.n_rules, n_distinct),
        initialisation=placement,
        random_state=random_state,
    )
    repeats = -(-module.sizes.n_rules // len(placed.centers))
    rows = np.tile(np.arange(len(placed.centers)), repeats)[: module.sizes.n_rules]
    module.set_rules(points, placed.centers[rows], placed.widths[rows])


@torch.no_grad()
def _trust_rules(module, dataset, groups, random_state) -> None:
    ridge = module.ridge(n_support=0)[: module.embedding_size].split(module.block_sizes)[1:]
    course, level = module.kernel_parts(dataset.clips)
    kernels = torch.cat([course * ridge[0].rsqrt(), level * ridge[1].rsqrt()], dim=1)
    of_full_share = 1.0 / ridge[0][0] + 1.0 / ridge[1][0]
    rules = module.rules_part(dataset.clips) * of_full_share.sqrt()
    share = choose_rules_share(kernels, rules, dataset.membership, groups, random_state)
    if share is not None:
        module.share_with_rules(share)


def _n_batches(sampler: EpisodeSampler, n_clips: int) -> int:
    """Batches of an epoch; a few clips are soon learned, and then learned by heart."""
    n_clips_of_batch = sampler.n_episodes * sampler.n_way * (sampler.n_support + sampler.n_query)
    return min(_BATCHES_PER_EPOCH, -(-_PASSES_PER_EPOCH * n_clips // n_clips_of_batch))


def _optimisation(plan: TrainingPlan, n_batches: int, *, with_validation: bool) -> dict:
    fast = _LEARNER_SPEED * plan.learning_rate
    # Patterns are tried in this order; what matches none decays.
    groups = [
        ("learner.*", {"lr": fast, "weight_decay": 0.0}),
        ("*bias", {"weight_decay": 0.0}),
        ("*norm*", {"weight_decay": 0.0}),
    ]
    callbacks = []
    if with_validation:
        callbacks += [
            ("valid_acc", PassthroughScoring("valid_acc", lower_is_better=False)),
            ("best", EarlyStopping(patience=plan.patience, load_best=True, sink=_say_nothing)),
        ]
    schedule = LRScheduler(
        OneCycleLR,
        max_lr=[fast] + [plan.learning_rate] * len(groups),
        total_steps=plan.max_epochs * n_batches + 1,
        pct_start=_STARTS_UP,
        step_every="batch",
    )
    callbacks += [("schedule", schedule), *_named(plan.callbacks)]
    if plan.progress:
        callbacks.append(("progress", ProgressBar()))
    return {
        "optimizer": torch.optim.AdamW,
        "optimizer__param_groups": groups,
        "optimizer__weight_decay": _WEIGHT_DECAY,
        "lr": plan.learning_rate,
        "max_epochs": plan.max_epochs,
        "callbacks": callbacks,
        "callbacks__print_log": None,
        "verbose": 0,
        "device": plan.device,
    }


def _named(callbacks: Sequence) -> list[tuple[str, object]]:
    return [
        callback if isinstance(callback, tuple) else (f"own_{i}", callback)
        for i, callback in enumerate(callbacks)
    ]


def _say_nothing(*args) -> None:
    """Where skorch would print."""
