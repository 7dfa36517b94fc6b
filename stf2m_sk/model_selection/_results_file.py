"""A file of scores that holds its settings: a run that was killed continues where it was."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
from sklearn import config_context
from sklearn.base import BaseEstimator

from stf2m_sk.model_selection._protocol import FewShotProtocol

__all__ = ["ResultsFile", "described", "open_results"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_VERSIONS = ("stf2m_sk", "numpy", "scikit-learn", "torch")
_NOT_TOLD = ("<lambda>", "<locals>", " object at 0x", "RandomState(", "FrozenEstimator(")


class ResultsFile:
    """Lines of JSON: the settings, then the scores of each estimator and fold.

    A line is written when its scores are there. What a killed process left of a line is cut off.

    Parameters
    ----------
    path : str or Path
        Made if it is not there.
    settings : dict
        All that decides the scores, beside the estimators.

    Raises
    ------
    ValueError
        If the file is none of these, or holds other settings; the difference is named.
    """

    def __init__(self, path: str | Path, settings: dict[str, Any]) -> None:
        self._path = Path(path)
        lines = self._read() if self._path.exists() else []
        if not lines:
            self._append(settings)
        self._check(lines[0] if lines else settings, settings)
        self._scores = {(one["name"], one["fold"]): one["scores"] for one in lines[1:]}
        self._estimators = {one["name"]: one["estimator"] for one in lines[1:]}

    def scores(self, name: str, fold: int, estimator: str) -> Any:
        """Scores that are there, or None; ValueError where those of `name` are of another one."""
        if name in self._estimators:
            self._check({name: self._estimators[name]}, {name: estimator})
        return self._scores.get((name, fold))

    def add(self, name: str, fold: int, estimator: str, scores: Any) -> None:
        """Write the scores of an estimator and a fold."""
        self._append({"name": name, "fold": fold, "estimator": estimator, "scores": scores})

    def _read(self) -> list[dict[str, Any]]:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            if not content.startswith(b"{" if content else b""):
                raise ValueError("it does not begin with settings")
            if not all({"name", "fold", "estimator", "scores"} <= set(line) for line in lines[1:]):
                raise ValueError("a line holds no scores")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{self._path} is damaged or no file of few-shot results ({error}); nothing of it "
                "was used. Delete it, or name another file."
            ) from error
        os.truncate(self._path, len(whole))
        return lines

    def _append(self, record: dict[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(record).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _check(self, there: dict[str, Any], given: dict[str, Any]) -> None:
        for name in dict.fromkeys([*there, *given]):
            if there.get(name) != given.get(name):
                raise ValueError(
                    f"{self._path} holds other results: {name} is {there.get(name)!r} there and "
                    f"{given.get(name)!r} here. Name another file, or take what is there."
                )


def open_results(path, X, clips, protocol: FewShotProtocol, metrics: dict, folds: list):
    """The results file of an evaluation; ValueError for an unseeded one, or as the file."""
    if isinstance(protocol.random_state, bool) or not isinstance(protocol.random_state, Integral):
        raise ValueError(
            f"results={str(path)!r} was given with random_state={protocol.random_state!r} in the "
            "protocol, which draws other episodes at each call: nothing could be resumed. Give an "
            "int."
        )
    columns = ("contexts", "times", "unlabelled")  # in the clips and in each estimator's line
    names = [field.name for field in fields(protocol) if field.name not in columns]
    settings = {name: str(getattr(protocol, name)) for name in names}
    settings["scoring"] = described({name: metric.source for name, metric in metrics.items()})
    settings |= {"clips": joblib.hash([X, *clips]), "folds": joblib.hash(folds)}
    return ResultsFile(path, settings | {f"version of {one}": version(one) for one in _VERSIONS})


def described(value: Any) -> str:
    """A parameter or an estimator as text, with all that was set in it.

    Raises
    ------
    TypeError
        If the text does not tell it from another: a lambda, an object whose repr shows no state,
        a RandomState, a fitted estimator.
    """
    with config_context(print_changed_only=True):
        shown = value.__repr__(10**9) if isinstance(value, BaseEstimator) else repr(value)
    found = next((part for part in _NOT_TOLD if part in shown), None)
    if found is not None:
        raise TypeError(
            f"a results file cannot tell {shown} from another: its text has {found!r}. Leave out "
            "results, or give what has a name, an int as seed, and is not fitted."
        )
    return _ADDRESS.sub("", shown)
