"""Search settings of a Pipeline over people: eight settings, three folds, two jobs.

Every fold leaves out people, and `groups` goes by metadata routing to the splitter, to the scaler
and to the classifier. Run it in a terminal, or cell by cell in an editor that knows ``# %%``.
"""

# %%
import time

import numpy as np
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.preprocessing import ViewScaler

GRID = {
    "viewscaler__scope": ["population", "person"],
    "stf2mclassifier__n_kernels": [100, 400],
    "stf2mclassifier__n_patterns": [0, 160],
}


# %%
def search_settings(n_people=20, n_jobs=2, grid=None, n_networks=0, **parameters):
    """Search a grid on the first people of the bundled recording, by default without networks."""
    stress = load_stress()
    rows = np.isin(stress.groups, np.unique(stress.groups)[:n_people])
    classifier = STF2MClassifier(n_networks=n_networks, n_threads=1, random_state=0, **parameters)
    with sklearn.config_context(enable_metadata_routing=True):
        # A person who is new is scaled by the mean over the others: the prediction is zero-shot.
        scaler = ViewScaler().set_fit_request(groups=True).set_transform_request(groups=True)
        search = GridSearchCV(
            make_pipeline(scaler, classifier.set_fit_request(groups=True)),
            GRID if grid is None else grid,
            cv=GroupKFold(3),
            scoring="balanced_accuracy",  # the default scorer would hand groups to the scaler
            n_jobs=n_jobs,
            error_score="raise",
        )
        return search.fit(stress.views[rows], stress.target[rows], groups=stress.groups[rows])


# %%
def report(search):
    """Print the settings, best first, what each fold gave, and how far behind the best it was."""
    results = search.cv_results_
    order = np.argsort(-results["mean_test_score"], kind="stable")
    folds = [results[f"split{fold}_test_score"][order] for fold in range(search.n_splits_)]
    folds = np.stack(folds, axis=1)
    behind = folds[0] - folds  # fold by fold: the people are the same
    names = [name.split("__")[1] for name in results["params"][0]]
    print("  ".join(f"{name:>13}" for name in names), "  mean  folds; behind the best in each")
    for number, scores, less in zip(order, folds, behind, strict=True):
        values = "  ".join(f"{value!s:>13}" for value in results["params"][number].values())
        columns = " ".join(f"{s:.1%}" for s in scores), " ".join(f"{s:+.1%}" for s in less)
        print(values, f" {scores.mean():5.1%}  {'; '.join(columns)}")
    n_worse = int((behind[1:] > 0).all(axis=1).sum())
    print(f"balanced accuracy on people nobody trained on; chance is {1 / 4:.0%}")
    print(f"folds of one setting differ by {np.ptp(folds, axis=1).mean():.1%} on average;")
    print(f"{n_worse} of {len(folds) - 1} settings are behind the best in every fold")
    print("the best of a search looks better than it is: judge it on people outside the search")


# %%
if __name__ == "__main__":
    started = time.perf_counter()
    report(search_settings())
    print(f"{time.perf_counter() - started:.0f} s without networks")
