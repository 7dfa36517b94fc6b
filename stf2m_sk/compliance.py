"""What scikit-learn's own checks say of every public estimator."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sklearn import __version__ as sklearn_version
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.fuzzy import FuzzyPatternTransformer, FuzzyRuleTransformer
from stf2m_sk.preprocessing import ViewResampler, ViewScaler, ViewSelector

__all__ = ["ESTIMATORS", "Compliance", "check_all"]

ESTIMATORS = (
    STF2MClassifier,
    SpatioTemporalEncoder,
    FuzzyRuleTransformer,
    FuzzyPatternTransformer,
    ViewScaler,
    ViewSelector,
    ViewResampler,
)
_MARKS = {"passed": "✓", "failed": "✗", "skipped": "skipped", "xfail": "expected to fail"}


class Compliance(NamedTuple):
    """The checks of every estimator and how they ended.

    Attributes
    ----------
    results : dict of str to list of dict
        By the estimator's name, the rows of `sklearn.utils.estimator_checks.check_estimator`.
    """

    results: dict[str, list[dict]]

    def count(self, estimator: str) -> dict[str, int]:
        """How many checks of an estimator passed, failed or were skipped.

        Parameters
        ----------
        estimator : str
            Its name.

        Returns
        -------
        dict of str to int
            By "passed", "failed", "skipped" and "xfail"; only those that occur.
        """
        return dict(Counter(row["status"] for row in self.results[estimator]))

    def to_markdown(self) -> str:
        """Return a table, a line for each check and a column for each estimator.

        Returns
        -------
        str
            The page of the documentation, in Markdown.
        """
        cells = {name: _cells(rows) for name, rows in self.results.items()}
        checks = sorted({check for column in cells.values() for check in column})
        counts = [
            ", ".join(f"{n} {status}" for status, n in sorted(self.count(name).items()))
            for name in cells
        ]
        lines = [
            ["check", *cells],
            ["---"] * (len(cells) + 1),
            ["**all**", *counts],
            *(
                [f"`{check}`", *(column.get(check, "") for column in cells.values())]
                for check in checks
            ),
        ]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{_INTRODUCTION.format(version=sklearn_version)}\n{table}\n"


_INTRODUCTION = """\
# scikit-learn's checks

Every public estimator, with its default parameters, under all that `check_estimator` of
scikit-learn {version} asks of it. No failure is expected. A number is how many variants of a
check there are. An empty cell is a check that scikit-learn does not ask of such an estimator.
The one that is skipped has to be switched on from outside (`SCIPY_ARRAY_API`).

`python -m stf2m_sk compliance` prints this page. It takes some minutes, since every check trains
the networks; a test compares it with the same checks of smaller networks.
`PersonalisedClassifier` has no default: `tests/test_personalised.py` runs the checks with a
population of each check's clips.
"""


def check_all(estimators: Sequence[BaseEstimator] | None = None) -> Compliance:
    """Run scikit-learn's checks on estimators.

    Parameters
    ----------
    estimators : sequence of estimators, default=None
        One of each type. By default all public ones with their default parameters.

    Returns
    -------
    Compliance
        Failures are in it; none is raised.

    Examples
    --------
    >>> from stf2m_sk.compliance import check_all
    >>> from stf2m_sk.preprocessing import ViewScaler
    >>> check_all([ViewScaler()]).count("ViewScaler")["passed"]
    45
    """
    if estimators is None:
        estimators = [kind() for kind in ESTIMATORS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of data without structure, which the checks are full of
        return Compliance(
            {type(own).__name__: check_estimator(own, on_fail=None) for own in estimators}
        )


def _cells(rows: list[dict]) -> dict[str, str]:
    """How each check ended; a check that comes in variants is one line."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["check_name"], []).append(row["status"])
    return {
        check: " ".join(
            _MARKS[status] + (f" {n}" if n > 1 else "")
            for status, n in sorted(Counter(statuses).items())
        )
        for check, statuses in found.items()
    }
