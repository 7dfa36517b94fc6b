"""Meta-training: from the clips of many people to a module and what it says of the population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk._threads import torch_threads
from stf2m_sk.fuzzy import place_patterns
from stf2m_sk.nn.module import ModuleSizes, STF2MModule
from stf2m_sk.nn.population import Numbers, PersonSums, Population, summarise
from stf2m_sk.nn.signals import Signals
from stf2m_sk.training.checkpoint import Checkpoint, open_checkpoint, origin_of
from stf2m_sk.training.episodes import draw_episodes, people_of
from stf2m_sk.training.network_fitting import NetworkPlan
from stf2m_sk.training.networks import train_networks
from stf2m_sk.training.numbers import START, learn_numbers
from stf2m_sk.training.progress import Progress
from stf2m_sk.training.usual import left_out_variances, quantile_over_people

__all__ = ["MetaTrained", "TrainingPlan", "meta_train"]

_SHOTS = (0, 1, 2, 4)
_DRAWS = 3  # episodes of every person and number of shots
_CALIBRATION_CLIPS = 200  # for ramps and prototypes
_SENSOR_CLIPS = 1000  # for what a sensor shows at the least
_NUMBER_CLIPS = 800  # for the numbers: the cost grows with their cube
_CLIPS_OF_A_PERSON = 20  # kept where there are more people than clips can be taken of
_DIRECTION_CLIPS = 1500
_DIRECTIONS = 512
_LEFT_OUT = 8  # people of whom the usual variance is read
_USUAL = 0.99  # of their clips have at most that
_CLIPS_AT_ONCE = 512  # bounds the memory, whatever the number of clips


@dataclass(frozen=True)
class TrainingPlan:
    """How to meta-train.

    Parameters
    ----------
    n_kernels, n_patterns : int
        As of `ModuleSizes`.
    networks : NetworkPlan or None
        How to train the networks; None for no networks.
    view_dropout : float, default=0.0
        Probability with which a view is left out while the numbers are learned.
    device : str, default="cpu"
        Where the module runs.
    n_taps, most_mixed : int, default=9
        As of `ModuleSizes`.
    initialisation : {"c-means", "k-means", "random"}, default="c-means"
        How prototypes are found.
    learns_numbers : bool, default=True
        False leaves block weights and numbers at their start.
    checkpoint : str, Path or None, default=None
        File for the networks trained so far, to go on from after a kill.
    verbose : int, default=0
        As of `Progress`.
    """

    n_kernels: int
    n_patterns: int
    networks: NetworkPlan | None
    view_dropout: float = 0.0
    device: str = "cpu"
    n_taps: int = 9
    most_mixed: int = 9
    initialisation: str = "c-means"
    learns_numbers: bool = True
    checkpoint: str | Path | None = None
    verbose: int = 0


class MetaTrained(NamedTuple):
    """What meta-training gives.

    Attributes
    ----------
    module : STF2MModule
        On the device of the plan, in evaluation mode.
    population : Population
        float64, on the CPU.
    numbers : Numbers
        Of the model.
    usual_variance : float
        Predictive variance that 99 % of the clips of people left out do not exceed.
    history : list of list of dict
        Epochs of each network.
    """

    module: STF2MModule
    population: Population
    numbers: Numbers
    usual_variance: float
    history: list[list[dict]]


def meta_train(
    recordings: Sequence[NDArray[np.float32]],
    codes: NDArray[np.integer],
    people: NDArray[np.integer] | None,
    plan: TrainingPlan,
    random_state: np.random.RandomState,
    shares: NDArray[np.float64] | None = None,
) -> MetaTrained:
    """Meta-train on a population.

    Parameters
    ----------
    recordings : sequence of float32 array (n_clips, n_channels, n_timesteps)
        One array a modality, NaN where not measured.
    codes : int array of shape (n_clips,)
        Class codes, 0 to n_classes - 1.
    people : int array of shape (n_clips,) or None
        Codes of the people.
    plan : TrainingPlan
        How.
    random_state : numpy.random.RandomState
        Source of all randomness.
    shares : float64 array of shape (n_clips, n_classes), default=None
        Shares of the classes in each clip, the targets; None: those of the codes. Episodes are
        drawn by the codes.

    Returns
    -------
    MetaTrained

    Raises
    ------
    CheckpointError
        As of `open_checkpoint`, before anything is trained.
    """
    shares = np.eye(codes.max() + 1)[codes] if shares is None else shares
    origin = {}
    if plan.checkpoint is not None:
        origin = origin_of(recordings, codes, people, shares, plan, random_state)
    with (
        open_checkpoint(plan.checkpoint, origin) as checkpoint,
        Progress(_stages(plan), plan.verbose) as progress,
    ):
        return _trained(recordings, codes, people, plan, random_state, shares, checkpoint, progress)


def _trained(
    recordings, codes, people, plan, random_state, shares, checkpoint: Checkpoint, progress
) -> MetaTrained:
    with progress.stage("prototypes"):
        tensors = [torch.from_numpy(recording) for recording in recordings]
        module = _with_rules(tensors, plan, random_state)
    log_probabilities, history = None, []
    if plan.networks is not None:
        with progress.stage("networks"):
            n_classes = shares.shape[1]
            signals = _standardised(module, tensors)
            fitted = train_networks(
                signals,
                codes,
                people,
                n_classes,
                plan.networks,
                random_state,
                shares,
                report=progress.move,
                checkpoint=checkpoint,
            )
            module.attach(fitted.ensemble, n_classes)
            module.to(plan.device)
            log_probabilities, history = fitted.log_probabilities, fitted.history
    people = people_of(codes, people, random_state)
    with progress.stage("features"):
        unscaled = _unscaled(module, tensors, log_probabilities)
    targets = torch.from_numpy(shares)
    with progress.stage("numbers"):
        numbers = _learn_numbers(module, unscaled, codes, targets, people, plan, random_state)
    with progress.stage("population"):
        directions = _directions(_rules(module, unscaled[_thinned(people, _DIRECTION_CLIPS)]))
        population = _summarised(module, unscaled, targets, people, directions, numbers)
        usual = _usual_variance(module, unscaled, people, population, numbers)
    return MetaTrained(module.eval(), population, numbers, usual, history)


def _stages(plan: TrainingPlan) -> dict[str, float]:
    """Stages of a fit, with about the seconds of each on the bundled recording."""
    networks = {}
    if plan.networks is not None:
        networks["networks"] = 0.6 * plan.networks.n_networks * plan.networks.max_epochs
    return {"prototypes": 2.0, **networks, "features": 1.0, "numbers": 5.0, "population": 1.5}


def _with_rules(tensors: list[Tensor], plan: TrainingPlan, random_state) -> STF2MModule:
    """A module whose scales, ramps and prototypes are those of the clips."""
    generator = torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
    module = STF2MModule(_sizes(tensors, plan), generator=generator).to(plan.device)
    module.standardiser.calibrate([tensor.to(plan.device) for tensor in tensors])
    module.sensors.calibrate(_standardised(module, _some(tensors, _SENSOR_CLIPS)))
    _place_rules(module, tensors, plan, random_state)
    return module


def _unscaled(module, recordings: list[Tensor], log_probabilities: Tensor | None) -> Tensor:
    """Features of all clips before they are scaled, on the CPU."""
    parts = []
    for start in range(0, len(recordings[0]), _CLIPS_AT_ONCE):
        own = slice(start, start + _CLIPS_AT_ONCE)
        signals = _standardised(module, [recording[own] for recording in recordings])
        given = None if log_probabilities is None else log_probabilities[own]
        parts.append(module.unscaled(signals, given).cpu())
    return torch.cat(parts)


def _scaled(module, unscaled: Tensor) -> Tensor:
    return module.scaler(unscaled.to(module.scaler.mean.device)).cpu()


def _rules(module, unscaled: Tensor) -> Tensor:
    return _scaled(module, unscaled)[:, : module.n_rules]


def _some(recordings: list[Tensor], most: int) -> list[Tensor]:
    """At most so many clips, spread over all."""
    n_clips = len(recordings[0])
    rows = np.linspace(0, n_clips - 1, min(most, n_clips)).round().astype(int)
    return [recording[torch.from_numpy(rows)] for recording in recordings]


def _sizes(recordings: Sequence[Tensor], plan: TrainingPlan) -> ModuleSizes:
    return ModuleSizes(
        n_channels=[recording.shape[1] for recording in recordings],
        n_timesteps=[recording.shape[2] for recording in recordings],
        n_kernels=plan.n_kernels,
        n_patterns=plan.n_patterns,
        n_taps=plan.n_taps,
        most_mixed=plan.most_mixed,
    )


def _standardised(module: STF2MModule, recordings: list[Tensor]) -> Signals:
    device = module.scaler.mean.device
    return module.standardiser([recording.to(device) for recording in recordings])


def _place_rules(module, tensors, plan, random_state) -> None:
    rows = random_state.permutation(len(tensors[0]))[:_CALIBRATION_CLIPS]
    own = torch.from_numpy(np.sort(rows))
    signals = _standardised(module, [tensor[own] for tensor in tensors])
    module.calibrate_rules(signals)
    for patterns, values, frames in zip(
        module.patterns, signals.values, signals.frames, strict=True
    ):
        place_patterns(patterns, values, frames, random_state, initialisation=plan.initialisation)


def _learn_numbers(module, unscaled, codes, shares, people, plan, random_state) -> Numbers:
    """Scale the features, learn the numbers, and weigh the blocks."""
    rows = _thinned(people, _NUMBER_CLIPS)
    scaler = module.scaler
    scaler.calibrate(unscaled[rows].to(scaler.mean.device))
    blocks = [block for block in module.blocks if block.kind != "network"]
    module.weigh(torch.ones(len(blocks)))
    features = _scaled(module, unscaled[rows])
    if not plan.learns_numbers:
        module.weigh(torch.full((len(blocks),), 1.0 / len(blocks)))
        return START
    shown = _views_shown(blocks, len(rows), plan.view_dropout, random_state)
    *parts, scores = features.double().split(
        [*(block.size for block in blocks), features.shape[1] - module.n_rules], dim=1
    )
    grams = [
        (own * seen) @ (own * seen).T for own, seen in zip(parts, shown.unbind(1), strict=True)
    ]
    own_codes, own_people = codes[rows], np.unique(people[rows], return_inverse=True)[1]
    of_shots = {"shots": _SHOTS, "generator": random_state}
    episodes = draw_episodes(own_codes, own_people, n_draws=_DRAWS, **of_shots)
    in_order = draw_episodes(own_codes, own_people, n_draws=1, **of_shots)
    own_shares = shares[rows]
    kept = own_shares.sum(0) > 0
    scores = scores[:, kept] if scores.shape[1] else None
    # Many small products: more threads are slower, and far slower where another program runs.
    with torch_threads(1):
        weights, numbers = learn_numbers(
            torch.stack(grams), own_shares[:, kept], own_people, episodes, in_order, scores
        )
    module.weigh(weights)
    return numbers


def _views_shown(blocks, n_clips, view_dropout, random_state) -> Tensor:
    """Whether a clip shows a block, (n_clips, n_blocks, 1): views are left out at random."""
    modality = [block.modality for block in blocks]
    n_modalities = max(modality) + 1
    shown = random_state.random_sample((n_clips, n_modalities)) >= view_dropout
    shown[~shown.any(axis=1), random_state.randint(n_modalities)] = True
    return torch.from_numpy(shown[:, modality].astype(np.float64))[..., None]


def _directions(features: Tensor) -> Tensor:
    """Orthonormal directions (n_features, n_directions) in which the clips spread most."""
    features = features.double()
    if len(features) < features.shape[1]:
        spread, left = torch.linalg.eigh(features @ features.T)
        right = features.T @ left
    else:
        spread, right = torch.linalg.eigh(features.T @ features)
    spread, order = spread.sort(descending=True)
    kept = order[(spread > 1e-9 * spread[:1].clamp_min(1e-9))][:_DIRECTIONS]
    directions = torch.nn.functional.normalize(right[:, kept], dim=0)
    return directions.float().double()  # as they are saved


def _summarised(module, unscaled, shares, people, directions, numbers) -> Population:
    sums = PersonSums.zeros(int(people.max()) + 1, directions.shape[1], shares.shape[1])
    for start in range(0, len(shares), _CLIPS_AT_ONCE):
        rows = np.arange(start, min(start + _CLIPS_AT_ONCE, len(shares)))
        projected = _rules(module, unscaled[rows]).double() @ directions
        sums.add(projected, torch.from_numpy(people[rows]), shares[rows])
    return summarise(sums, directions, numbers.person_variance)


def _usual_variance(module, unscaled, people, population, numbers) -> float:
    """Predictive variance that almost all clips of people left out do not exceed."""
    names = np.unique(people)
    chosen = np.linspace(0, len(names) - 1, min(_LEFT_OUT, len(names))).round().astype(int)
    variances = []
    for name in names[chosen]:
        parts = []
        for rows in torch.from_numpy(np.flatnonzero(people == name)).split(_CLIPS_AT_ONCE):
            rules = _rules(module, unscaled[rows]).double()
            projected = rules @ population.directions
            parts.append((projected, rules.square().sum(1) - projected.square().sum(1)))
        projected, outside = map(torch.cat, zip(*parts, strict=True))
        own = left_out_variances(population, projected, outside, numbers.person_variance)
        variances.append(own.numpy())
    return quantile_over_people(variances, _USUAL)


def _thinned(people: NDArray[np.integer], most: int) -> NDArray[np.int64]:
    """At most about so many rows, spread over people and recordings.

    Of many people some are left out, so that the others keep enough clips for an episode.
    """
    if len(people) <= most:
        return np.arange(len(people))
    names, sizes = np.unique(people, return_counts=True)
    n_kept = max(2, int(most / min(_CLIPS_OF_A_PERSON, sizes.mean())))
    if len(names) > n_kept:
        names = names[np.linspace(0, len(names) - 1, n_kept).round().astype(int)]
    rows = np.flatnonzero(np.isin(people, names))
    rows = rows[np.argsort(people[rows], kind="stable")]
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return np.sort(rows[places])
