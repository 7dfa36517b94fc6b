"""How often the 95 % interval of ``few_shot_score(...).summary()`` holds the expected accuracy.

    python benchmarks/interval_coverage.py

Data of which the expected accuracy is known go through the whole of `few_shot_score`, 400 times
for 8 and for 20 people. The classifier is fixed, since the interval is conditional on the fitted
model: what varies is who is drawn and which clips are query clips.

generated
    A population from `make_emotion_views` and a frozen logistic regression on summary statistics,
    fitted on other people of the same generator. People are drawn from the population with
    replacement: the expected accuracy is exactly the population's own, since a query is a random
    half of each class's clips, and a recall is linear in them.
mid, ceiling
    One feature, two classes and a threshold at 0. Person p has the means +- d_p around an offset
    b_p, both normal, and noise of deviation 1, which gives recalls Phi(d_p +- b_p) and the
    expected accuracy Phi(E d / sqrt(1 + var d + var b)) in closed form. *ceiling* has few clips and
    an accuracy near 1, where scores are skewed: the hardest case.

Beside Student's t stand the percentile bootstrap over people, and Student's t over episodes as if
these were independent.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _report import Mean, markdown, parser, write_report, write_table
from numpy.random import Generator
from scipy import stats
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.model_selection import FewShotProtocol, few_shot_score

PEOPLE = (8, 20)


class World(NamedTuple):
    """From a number of people and a generator to data; a fixed classifier; the truth."""

    draw: Callable[[int, Generator], dict[str, np.ndarray]]
    classifier: Any
    truth: float


def threshold_world(mean: float, spread: float, offset: float, n_clips: int) -> World:
    def draw(n_people: int, generator: Generator) -> dict[str, np.ndarray]:
        y = np.tile(np.repeat([0, 1], n_clips), n_people)
        groups = np.repeat(np.arange(n_people), 2 * n_clips)
        apart = generator.normal(mean, spread, n_people)[groups] * (2 * y - 1)
        X = apart + generator.normal(0, offset, n_people)[groups] + generator.normal(size=len(y))
        return {"X": X[:, None], "y": y, "groups": groups}

    truth = stats.norm.cdf(mean / np.sqrt(1 + spread**2 + offset**2))
    at_zero = LogisticRegression(fit_intercept=False).fit([[-1.0], [1.0]], [0, 1])
    return World(draw, FrozenEstimator(at_zero), float(truth))


def generated_world(n_people: int = 1500, n_trained: int = 100) -> World:
    sizes = {"n_people": n_people, "n_clips_per_emotion": 6}
    data = make_emotion_views(**sizes, ambiguity=0.0, random_state=0)
    table, people = data.views.to_table().to_numpy(), np.unique(data.groups)
    is_trained = np.isin(data.groups, people[:n_trained])
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    linear.fit(table[is_trained], data.target[is_trained])
    by_person = [np.flatnonzero(data.groups == person) for person in people[n_trained:]]
    # The same number of clips of each class for everybody: the mean of all is balanced accuracy.
    others = np.flatnonzero(~is_trained)
    truth = np.mean(linear.predict(table[others]) == data.target[others])

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
        protocol=FewShotProtocol(shots=0, draws=4, gap=None, random_state=seed),
        cv=[(np.flatnonzero(~is_new), np.flatnonzero(is_new))],
    )
    means = result.units().to_numpy()[:, 0]
    drawn = stats.bootstrap([means], np.mean, n_resamples=1999, method="percentile", rng=generator)
    return {
        "Student's t": tuple(result.summary().loc[0, ["low", "high"]]),
        "percentile": tuple(drawn.confidence_interval),
        "naive over episodes": Mean.of(result.rows.query("metric == 'balanced_accuracy'")["value"])[
            1:
        ],
    }


def measure(world: World, n_people: int, n_repetitions: int) -> pd.DataFrame:
    """Coverage, with Wilson's interval of it, and mean width of each method."""
    found = pd.DataFrame([intervals(world, n_people, seed) for seed in range(n_repetitions)])
    rows = []
    for method in found:
        low, high = np.array(found[method].to_list()).T
        holds = (low <= world.truth) & (world.truth <= high)
        certain = stats.binomtest(int(holds.sum()), n_repetitions).proportion_ci(method="wilson")
        rows.append((n_people, method, holds.mean(), *certain, np.mean(high - low)))
    return pd.DataFrame(rows, columns=["people", "method", "coverage", "low", "high", "width"])


def main() -> None:
    own = parser(__doc__, help="not looked at: all is generated")
    own.add_argument("--repetitions", type=int, default=400)
    options = own.parse_args()
    worlds = {
        "generated": generated_world(),
        "mid": threshold_world(0.8, 0.4, 0.4, n_clips=16),
        "ceiling": threshold_world(2.2, 0.6, 0.3, n_clips=6),
    }
    table = pd.concat(
        measure(world, n_people, options.repetitions).assign(data=name, truth=world.truth)
        for name, world in worlds.items()
        for n_people in PEOPLE
    )
    places = ["data", "people", "method"]
    write_table(options.out / "interval_coverage.csv", table.melt(places, var_name="metric"))
    lines = [
        (row.data, f"{row.truth:.4f}", row.people, row.method,
         f"{row.coverage:.1%} [{row.low:.1%}, {row.high:.1%}]", f"{row.width:.3f}")
        for row in table.itertuples()
    ]  # fmt: skip
    header = ("data", "expected accuracy", "people", "method", "coverage", "mean width")
    said = f"{options.repetitions} repetitions [Wilson's interval of the coverage]"
    report = options.out / "interval_coverage.md"
    write_report(report, "# Coverage of 95 % intervals", said, markdown(header, lines))


if __name__ == "__main__":
    main()
