"""How often the 95 % interval of ``few_shot_score(...).summary()`` holds the expected accuracy.

    python benchmarks/interval_coverage.py

Data of which the expected accuracy is known go through the whole of `few_shot_score`, 400 times
for 8 and for 20 people. The classifier is fixed beforehand, since the interval is conditional on
the fitted model: what varies is who is drawn and which clips are asked.

generated
    A population from `make_emotion_views` and a frozen logistic regression on summary statistics,
    fitted on other people of the same generator. People are drawn from the population with
    replacement, so that the expected accuracy is the population's own, with no error at all: a
    query is a random half of each class's clips, and a recall is linear in them.
mid, ceiling
    One feature, two classes and a threshold at 0. Person p has the means +- d_p around an offset
    b_p, both normal, and noise of deviation 1, which gives recalls Phi(d_p +- b_p) and the
    expected accuracy Phi(E d / sqrt(1 + var d + var b)) in closed form. *ceiling* has few clips and
    an accuracy near 1, where scores are skewed: the hardest case, shown so that it is not a secret.

Beside Student's t (the default) and the studentised bootstrap stand the percentile bootstrap over
people, and Student's t over episodes as if these were independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from _report import RESULTS, Table, markdown, write_report
from numpy.random import Generator
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.model_selection import few_shot_score
from stf2m_sk.model_selection._intervals import interval

METHODS = ("Student's t", "studentised", "percentile", "naive over episodes")
DRAWS = 4
PEOPLE = (8, 20)


class World(NamedTuple):
    """From a number of people and a generator to data; a fixed classifier; the truth."""

    draw: Callable[[int, Generator], dict[str, np.ndarray]]
    classifier: Any
    truth: float


class Threshold(ClassifierMixin, BaseEstimator):
    """Answers 1 above 0, and learns nothing."""

    def fit(self, X, y):
        """Learn nothing."""
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        """By the sign."""
        return (np.asarray(X)[:, 0] > 0).astype(int)


def threshold_world(mean: float, spread: float, offset: float, n_clips: int) -> World:
    def draw(n_people: int, generator: Generator) -> dict[str, np.ndarray]:
        y = np.tile(np.repeat([0, 1], n_clips), n_people)
        groups = np.repeat(np.arange(n_people), 2 * n_clips)
        apart = generator.normal(mean, spread, n_people)[groups] * (2 * y - 1)
        X = apart + generator.normal(0, offset, n_people)[groups] + generator.normal(size=len(y))
        return {"X": X[:, None], "y": y, "groups": groups}

    truth = stats.norm.cdf(mean / np.sqrt(1 + spread**2 + offset**2))
    return World(draw, FrozenEstimator(Threshold().fit(None, None)), float(truth))


def generated_world(n_people: int = 1500, n_trained: int = 100) -> World:
    data = make_emotion_views(
        n_people=n_people, n_clips_per_emotion=6, ambiguity=0.0, random_state=0
    )
    table, people = data.views.to_table().to_numpy(), np.unique(data.groups)
    is_trained = np.isin(data.groups, people[:n_trained])
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    linear.fit(table[is_trained], data.target[is_trained])
    by_person = [np.flatnonzero(data.groups == person) for person in people[n_trained:]]
    # The same number of clips of each class for everybody: the mean of all is balanced accuracy.
    answered = np.flatnonzero(~is_trained)
    truth = np.mean(linear.predict(table[answered]) == data.target[answered])

    def draw(n_drawn: int, generator: Generator) -> dict[str, np.ndarray]:
        drawn = [by_person[i] for i in generator.integers(len(by_person), size=n_drawn)]
        rows = np.concatenate(drawn)
        groups = np.repeat(np.arange(n_drawn), [len(own) for own in drawn])
        return {"X": table[rows], "y": data.target[rows], "groups": groups}

    return World(draw, FrozenEstimator(linear), float(truth))


def intervals(world: World, n_people: int, seed: int) -> dict[str, tuple[float, float]]:
    """One repetition: the interval of each method."""
    generator = np.random.default_rng([n_people, seed])
    data = world.draw(n_people + 1, generator)
    is_new = data["groups"] > 0  # person 0 is the population; the classifier is frozen
    result = few_shot_score(
        world.classifier,
        **data,
        n_shot=0,
        cv=[(np.flatnonzero(~is_new), np.flatnonzero(is_new))],
        n_draws=DRAWS,
        gap=None,
        random_state=seed,
    )
    (student,) = result.summary()
    (studentised,) = result.summary(method="studentised", n_resamples=1999)
    rows = result.rows
    people = range(1, n_people + 1)
    means = [np.mean(rows.where(person=person)["balanced_accuracy"]) for person in people]
    drawn = np.mean(np.array(means)[generator.integers(n_people, size=(1999, n_people))], axis=1)
    naive = interval(rows["balanced_accuracy"])
    found = [(row["low"], row["high"]) for row in (student, studentised)]
    return dict(
        zip(METHODS, [*found, tuple(np.quantile(drawn, [0.025, 0.975])), naive], strict=True)
    )


def measure(world: World, n_people: int, n_repetitions: int) -> list[dict[str, Any]]:
    """Coverage and mean width of each method."""
    found = [intervals(world, n_people, seed) for seed in range(n_repetitions)]
    rows = []
    for method in METHODS:
        ends = np.array([one[method] for one in found])
        n_holding = int(((ends[:, 0] <= world.truth) & (world.truth <= ends[:, 1])).sum())
        certain = stats.binomtest(n_holding, n_repetitions).proportion_ci(method="wilson")
        rows.append(
            {
                "people": n_people,
                "method": method,
                "coverage": n_holding / n_repetitions,
                "low": certain.low,
                "high": certain.high,
                "width": float(np.mean(ends[:, 1] - ends[:, 0])),
            }
        )
    return rows


def report(worlds: dict[str, World], rows: list[dict[str, Any]], n_repetitions: int) -> str:
    lines = [
        (
            row["data"],
            f"{worlds[row['data']].truth:.4f}",
            row["people"],
            row["method"],
            f"{row['coverage']:.1%} [{row['low']:.1%}, {row['high']:.1%}]",
            f"{row['width']:.3f}",
        )
        for row in rows
    ]
    header = ("data", "expected accuracy", "people", "method", "coverage", "mean width")
    title = f"Coverage of 95 % intervals in {n_repetitions} repetitions [Wilson's interval of it]"
    return f"{title}\n\n{markdown(header, lines)}"


def tidy(rows: list[dict[str, Any]]):
    """Rows of the table."""
    for row in rows:
        place = {"data": row["data"], "protocol": f"{row['people']} people"}
        for metric in ("coverage", "low", "high", "width"):
            yield place | {
                "model": row["method"],
                "unit": "all",
                "metric": metric,
                "value": row[metric],
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=400)
    options = parser.parse_args()
    worlds = {
        "generated": generated_world(),
        "mid": threshold_world(0.8, 0.4, 0.4, n_clips=16),
        "ceiling": threshold_world(2.2, 0.6, 0.3, n_clips=6),
    }
    rows = [
        {"data": name} | row
        for name, world in worlds.items()
        for n_people in PEOPLE
        for row in measure(world, n_people, options.repetitions)
    ]
    path = RESULTS / "interval_coverage.csv"
    path.unlink(missing_ok=True)
    Table(path, ("data", "protocol", "model", "unit", "metric", "value")).append(tidy(rows))
    text = report(worlds, rows, options.repetitions)
    write_report(RESULTS / "interval_coverage.md", "# Coverage of intervals", text)


if __name__ == "__main__":
    main()
