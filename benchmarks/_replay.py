"""Watch a fit from outside: how long its stages take, and what a bare loop of its passes takes.

Everything here hangs on names inside `stf2m_sk.training`, which are no public interface; a stage
whose name is gone is left out of the breakdown, and a missing name of the loop is an error.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from importlib import import_module
from typing import Any
from unittest.mock import patch

import torch

from stf2m_sk.training import meta_train
from stf2m_sk.training.net import EpisodicNet

# What is timed, in the order in which fit comes to it: name, module, owner within it, attribute.
STAGES = (
    ("calibrate: moments, biases", "nn.module", "STF2MModule", "calibrate"),
    ("components", "nn.components", "Components", "calibrate"),
    ("random kernels of all clips", "nn.module", "STF2MModule", "prepare"),
    ("placing the rules", "training.meta_train", None, "_start_rules"),
    ("ridge choice", "training.meta_train", None, "choose_ridges"),
    ("rules' share", "training.meta_train", None, "_trust_rules"),
    ("drawing episodes", "training.episodes", "EpisodeSampler", "draw"),
    ("augmentation", "training.net", None, "augment"),
    ("remembering the population", "training.net", "EpisodicNet", "_remember"),
    ("forward, of training and validation", "training.net", "EpisodicNet", "infer"),
    ("loss and backward", "training.net", "EpisodicNet", "train_step_single"),
    ("steps, skorch's loop", "training.net", "EpisodicNet", "partial_fit"),
    ("noting the validation", "training.net", "EpisodicNet", "validation_step"),
    ("trust in training", "training.meta_train", None, "choose_distrust"),
    ("learner", "training.meta_train", None, "train_learner"),
    ("population", "training.meta_train", None, "gather_population"),
)


# ---- stages ----


class Stopwatch:
    """Seconds of each stage without those of the stages inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[list[float]] = []  # seconds of the stages inside each open stage

    def around(self, name: str, function: Callable) -> Callable:
        """The same function, timed."""

        @wraps(function)
        def timed(*args, **kwargs):
            self._open.append([])
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - start
                self.seconds[name] += seconds - sum(self._open.pop())
                if self._open:
                    self._open[-1].append(seconds)

        return timed


@contextmanager
def stages_timed() -> Iterator[Stopwatch]:
    """Within it every stage of a fit is timed."""
    watch = Stopwatch()
    with ExitStack() as patches:
        for name, module, owner, attribute in STAGES:
            place = import_module(f"stf2m_sk.{module}")
            place = getattr(place, owner, None) if owner else place
            if hasattr(place, attribute):
                timed = watch.around(name, getattr(place, attribute))
                patches.enter_context(patch.object(place, attribute, timed))
        yield watch


# ---- the bare loop ----


class Trace:
    """What a fit did: the network as training found it, and every pass in its order."""

    def __init__(self) -> None:
        self.start: dict[str, Any] = {}
        self.passes: list[tuple[str, Any]] = []
        self.afterwards: list[tuple[Callable, Any]] = []  # what else episodes decide, and which
        self.training_seconds = 0.0  # from the first batch to the population's sums

    @property
    def n_batches(self) -> dict[str, int]:
        """How many passes of each kind."""
        kinds = [kind for kind, _ in self.passes]
        return {kind: kinds.count(kind) for kind in ("train", "validate", "remember")}

    @property
    def n_episodes(self) -> int:
        """Episodes that were trained on."""
        return sum(len(batch.ways) for kind, batch in self.passes if kind == "train")

    def loop(self) -> Callable[[], None]:
        """The same passes without skorch, ready to be run once."""
        net = EpisodicNet(
            copy.deepcopy(self.start["module"]),
            copy.deepcopy(self.start["criterion"]),
            train_batches=None,
            noise=torch.Generator(device=self.start["device"]).manual_seed(0),
            **self.start["optimisation"],
        ).initialize()
        net.clips_ = self.start["dataset"]
        return lambda: _run_bare(net, self.passes, self.afterwards)


def _run_bare(net: EpisodicNet, passes: list, afterwards: list) -> None:
    module, criterion, optimizer = net.module_, net.criterion_, net.optimizer_
    for kind, batch in passes:
        if kind == "remember":
            net._remember()
        elif kind == "train":
            module.train()
            optimizer.zero_grad()
            criterion(net.infer(batch)).backward()
            optimizer.step()
        else:
            module.eval()
            with torch.no_grad():
                criterion.of_validation(net.infer(batch))
    module.learner.requires_grad_(True)
    for decide, batches in afterwards:
        decide(module, net.clips_, batches)
    module.eval()
    meta_train.gather_population(module, net.clips_)


@contextmanager
def traced() -> Iterator[Trace]:
    """Within it a fit notes its passes; only the last fit counts."""
    trace = Trace()
    with ExitStack() as patches:
        for place, attribute, noting in (
            (EpisodicNet, "partial_fit", _note_start),
            (EpisodicNet, "train_step", _note_pass("train")),
            (EpisodicNet, "validation_step", _note_pass("validate")),
            (EpisodicNet, "_remember", _note_pass("remember")),
            (meta_train, "choose_distrust", _note_decision),
            (meta_train, "train_learner", _note_decision),
            (meta_train, "gather_population", _note_end),
        ):
            noted = noting(trace, getattr(place, attribute))
            patches.enter_context(patch.object(place, attribute, noted))
        yield trace


def _note_start(trace: Trace, partial_fit: Callable) -> Callable:
    def noted(net, dataset, *args, **kwargs):
        own = ("module", "criterion", "train_batches", "valid_batches", "noise", "callbacks")
        params = net.get_params(deep=False)
        kept = {k: v for k, v in params.items() if k not in own and not k.startswith("callbacks")}
        trace.passes.clear()
        trace.afterwards.clear()
        trace.start = {
            "module": copy.deepcopy(net.module),
            "criterion": copy.deepcopy(net.criterion),
            "device": net.device,
            "dataset": dataset,
            "optimisation": kept,
        }
        trace.training_seconds = -time.perf_counter()
        return partial_fit(net, dataset, *args, **kwargs)

    return noted


def _note_pass(kind: str) -> Callable:
    def noting(trace: Trace, step: Callable) -> Callable:
        def noted(net, batch=None, **kwargs):
            if batch is None:
                trace.passes.append((kind, None))
                return step(net)
            trace.passes.append((kind, batch[0]))  # the other half are targets that none reads
            return step(net, batch, **kwargs)

        return noted

    return noting


def _note_decision(trace: Trace, decide: Callable) -> Callable:
    def noted(module, dataset, batches):
        trace.afterwards.append((decide, batches))
        return decide(module, dataset, batches)

    return noted


def _note_end(trace: Trace, gather_population: Callable) -> Callable:
    def noted(*args):
        found = gather_population(*args)
        trace.training_seconds += time.perf_counter()
        return found

    return noted
