"""Rules that can be read: accuracy of a short list of them, and whether seeds agree on them.

    python benchmarks/rules.py --data DIR --sets noneeg_stress stress_predict

New people by folds: in each, `ShortRules` chooses, ranks and weighs its rules without the people it
is then scored on, as the full classifier (without networks) is fitted. Stability: for each seed the
importance of the ten strongest rules of all people is summed by modality and kind; the Spearman
correlation of these sums is that of two seeds, in the mean over all pairs.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
from _protocols import Recording, fitted, folds, read
from _report import BALANCED, RESULTS, markdown, write_report, write_table
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import ShortRules, rule_table

STRONGEST = 10


def accuracy(recording: Recording, n_folds: int, k: int) -> list[dict]:
    """Rows of both classifiers, and the number of rules, fold by fold."""
    rows = []
    for number, (train, test) in enumerate(folds(recording, "new-person", 0)[:n_folds]):
        short = fitted(ShortRules(STF2MClassifier(n_networks=0), k=k), recording, train, 0)
        views, y, _ = recording.rows(test)
        models = {"all rules": short.estimator_, "short list": short}
        rows += [
            {"what": what, "fold": number, "metric": BALANCED, "value": value}
            for what, value in (
                (name, balanced_accuracy_score(y, model.predict(views)))
                for name, model in models.items()
            )
        ]
        n_rules = {"metric": "n_rules", "value": len(short.rules_)}
        rows.append({"what": "short list", "fold": number} | n_rules)
        print(short, *rows[-3:], sep="\n", flush=True)
    return rows


def agreement(recording: Recording, n_seeds: int) -> float:
    """Mean rank correlation of two seeds."""
    sums = []
    for seed in range(n_seeds):
        rows = np.arange(len(recording.y))
        model = fitted(STF2MClassifier(n_networks=0), recording, rows, seed)
        views, y, groups = recording.rows(rows)
        table = rule_table(model, views, y, groups=groups, n_rules=STRONGEST)
        sums.append(table.groupby(["modality", "kind"])["importance"].sum())
        print(*table["rule"], sep="\n", flush=True)
    pairs = sorted(set().union(*(own.index for own in sums)))
    ranked = [own.reindex(pairs, fill_value=0.0).to_numpy() for own in sums]
    found = [spearmanr(one, other).statistic for one, other in combinations(ranked, 2)]
    return float(np.mean(found))


def main() -> None:
    own = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    own.add_argument("--data", type=Path, help="folder of the .npz files")
    own.add_argument("--sets", nargs="+", default=["noneeg_stress", "stress_predict"])
    own.add_argument("--folds", type=int, default=5)
    own.add_argument("--seeds", type=int, default=3)
    own.add_argument("--rules", type=int, default=20, help="most rules of a short list")
    own.add_argument("--out", type=Path, default=RESULTS)
    options = own.parse_args()
    table, lines = [], []
    for data in options.sets:
        recording = read(data, options.data)
        rows = accuracy(recording, options.folds, options.rules)
        rho = agreement(recording, options.seeds)
        rows.append({"what": "seeds", "fold": "", "metric": "rank_correlation", "value": rho})
        table += [{"data": data} | row for row in rows]
        keys = [("all rules", BALANCED), ("short list", BALANCED), ("short list", "n_rules")]
        means = [
            np.mean([row["value"] for row in rows if (row["what"], row["metric"]) == key])
            for key in keys
        ]
        lines.append((data, *(f"{mean:.3f}" for mean in means), f"{rho:.2f}"))
    write_table(options.out / "rules.csv", table)
    header = ("data", "all rules", "short list", "rules", "rank correlation of seeds")
    write_report(options.out / "rules.md", "# Rules that can be read", markdown(header, lines))


if __name__ == "__main__":
    main()
