"""The checkpoint of a fit: what a killed fit had trained, for the next one to go on from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy
import skorch
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk import model_file
from stf2m_sk._own_code import own_code
from stf2m_sk.nn.encoder import EmotionNetwork

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

if TYPE_CHECKING:
    from stf2m_sk.training.meta_train import TrainingPlan

__all__ = [
    "NO_CHECKPOINT",
    "Checkpoint",
    "CheckpointError",
    "TrainedNetwork",
    "open_checkpoint",
    "origin_of",
]

_KEY = "checkpoint"  # in the description; files of classifiers lack it
# What changes neither the networks nor the rest of a model.
_NO_SETTINGS = ("networks", "callbacks", "checkpoint", "verbose")


class CheckpointError(ValueError):
    """A checkpoint that a fit cannot use: it is of another fit, in use, or no checkpoint.

    Parameters
    ----------
    path : Path
        Of the checkpoint.
    found : str
        What is wrong with it.
    advice : str
        What to do.
    """

    def __init__(self, path: Path, found: str, advice: str) -> None:
        super().__init__(path, found, advice)  # as given: it comes out of a worker by pickle

    def __str__(self) -> str:
        path, found, advice = self.args
        return f"The checkpoint {str(path)!r} {found}. {advice}"


class TrainedNetwork(NamedTuple):
    """A network and what it says of the clips that it has not seen.

    Attributes
    ----------
    network : EmotionNetwork
        In evaluation mode.
    log_probabilities : Tensor of shape (n_unseen_clips, n_classes)
        float32, on the CPU.
    history : list of dict
        Figures of each epoch.
    """

    network: EmotionNetwork
    log_probabilities: Tensor
    history: list[dict]


class Checkpoint:
    """The file in which a fit keeps its trained networks.

    Parameters
    ----------
    path : Path or None
        Of the file; None keeps nothing.
    origin : dict of str to str
        What a fit must share with the one that wrote the file.
    """

    def __init__(self, path: Path | None, origin: dict[str, str]) -> None:
        self.path = path
        self.origin = origin

    def check(self) -> None:
        """Refuse a file that is no checkpoint, or of another fit.

        Raises
        ------
        CheckpointError
            With what differs.
        """
        if self.path is not None and self.path.exists():
            self._read()

    def read(
        self, new_network: Callable[[], EmotionNetwork], random_state: np.random.RandomState
    ) -> list[TrainedNetwork]:
        """Networks that were trained before, in their order.

        Parameters
        ----------
        new_network : callable
            Makes a network, whose values are then replaced.
        random_state : numpy.random.RandomState
            Set to where it was when the last of them was trained.

        Returns
        -------
        list of TrainedNetwork
            Empty if there is no file.

        Raises
        ------
        CheckpointError
            As `check`.
        """
        if self.path is None or not self.path.exists():
            return []
        description, tensors = self._read()
        trained = []
        for i, history in enumerate(description["history"]):
            network = new_network()
            prefix = f"{i}.network."
            state = {
                name.removeprefix(prefix): values
                for name, values in tensors.items()
                if name.startswith(prefix)
            }
            network.load_state_dict(state)
            answers = tensors[f"{i}.log_probabilities"]
            trained.append(TrainedNetwork(network.eval(), answers, history))
        random_state.set_state(description["random_state"])
        return trained

    def write(self, trained: Sequence[TrainedNetwork], random_state: np.random.RandomState) -> None:
        """Keep all networks so far, whole or not at all.

        Parameters
        ----------
        trained : sequence of TrainedNetwork
            In their order.
        random_state : numpy.random.RandomState
            As it is after the last of them.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        if self.path is None:
            return
        description = {
            _KEY: self.origin,
            "random_state": _plain(random_state.get_state(legacy=False)),
            "history": [[_plain(row) for row in one.history] for one in trained],
        }
        tensors = {}
        for i, one in enumerate(trained):
            for name, values in one.network.state_dict().items():
                tensors[f"{i}.network.{name}"] = values.cpu().contiguous()
            tensors[f"{i}.log_probabilities"] = one.log_probabilities.contiguous()
        model_file.write(self.path, description, tensors)

    def _read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        other = "Give another path, or remove the file to train from the start."
        try:
            description, tensors = model_file.read(self.path)
        except model_file.ModelFileError as error:
            raise CheckpointError(self.path, "is damaged, or no checkpoint", other) from error
        if _KEY not in description:
            raise CheckpointError(self.path, "is the file of a classifier", "Give another path.")
        there = description[_KEY]
        differences = [
            f"{name} ({there.get(name)} there, {self.origin.get(name)} now)"
            for name in sorted(there.keys() | self.origin.keys())
            if there.get(name) != self.origin.get(name)
        ]
        if differences:
            found = f"is of another fit: what differs is {', '.join(differences)}"
            raise CheckpointError(self.path, found, other)
        return description, tensors


NO_CHECKPOINT = Checkpoint(None, {})


@contextmanager
def open_checkpoint(path: str | Path | None, origin: dict[str, str]) -> Iterator[Checkpoint]:
    """The checkpoint of a fit, for this fit alone; removed when the fit has ended.

    Parameters
    ----------
    path : str or Path, or None
        Of the file. None: nothing is kept.
    origin : dict of str to str
        As from `origin_of`.

    Yields
    ------
    Checkpoint
        An error or an interruption leaves its file for the next fit.

    Raises
    ------
    CheckpointError
        If the file is of another fit, is none of a checkpoint, or another fit uses it.
    FileNotFoundError
        If there is no such folder.
    IsADirectoryError
        If the path is one of a folder.
    OSError
        If nothing can be written into the folder.
    """
    if path is None:
        yield NO_CHECKPOINT
        return
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} for a checkpoint.")
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint={str(path)!r} is a folder; give the path of a file.")
    _check_writable(path)
    with _locked(path):
        checkpoint = Checkpoint(path, origin)
        checkpoint.check()
        yield checkpoint
        path.unlink(missing_ok=True)


def origin_of(
    recordings: Sequence[NDArray[np.float32]],
    codes: NDArray[np.integer],
    people: NDArray[np.integer] | None,
    shares: NDArray[np.float64],
    plan: TrainingPlan,
    random_state: np.random.RandomState,
) -> dict[str, str]:
    """All that decides the bytes of a fit: values of settings, digests of data.

    Parameters
    ----------
    recordings, codes, people, shares, plan, random_state
        As of `meta_train`. Of callbacks only the names of their classes are noted.

    Returns
    -------
    dict of str to str
    """
    settings = vars(plan) | ({} if plan.networks is None else vars(plan.networks))
    callbacks = [] if plan.networks is None else plan.networks.callbacks
    people = np.zeros(0) if people is None else people
    return {
        **{name: str(value) for name, value in settings.items() if name not in _NO_SETTINGS},
        "n_networks": str(0 if plan.networks is None else plan.networks.n_networks),
        "callbacks": ", ".join(_name(callback) for callback in callbacks),
        "threads": str(torch.get_num_threads()),
        "code": own_code(),
        "versions": ", ".join(
            f"{package.__name__} {package.__version__}" for package in (np, scipy, skorch, torch)
        ),
        "X": _digest(*recordings),
        "y": _digest(codes),
        "groups": _digest(people),
        "soft_labels": _digest(shares),
        "random_state": _digest(np.array(str(_plain(random_state.get_state(legacy=False))))),
    }


def _name(callback: Any) -> str:
    if isinstance(callback, tuple | list):
        callback = callback[1]
    return (callback if isinstance(callback, type) else type(callback)).__qualname__


def _digest(*arrays: NDArray) -> str:
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype.str}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()[:12]


def _plain(value: Any) -> Any:
    """Nested values as JSON knows them."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _check_writable(path: Path) -> None:
    """Refuse a place that could not be written once a network is trained."""
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OSError(
            error.errno,
            f"checkpoint={str(path)!r} cannot be written: {error.strerror}. Give a path in a "
            "folder that you may write to, or checkpoint=None.",
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock beside the file; it goes with this process, however that ends."""
    if fcntl is None:
        raise CheckpointError(
            path, "needs file locks, which this system lacks", "Fit with checkpoint=None."
        )
    lock = path.with_name(f".{path.name}.lock")
    while True:
        with open(lock, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CheckpointError(
                    path, "is in use by another fit", "Wait for its end, or give another path."
                ) from error
            if not _is_at(lock, os.fstat(file.fileno())):
                continue  # another fit ended and removed it before it was locked
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), found)
    except FileNotFoundError:
        return False
