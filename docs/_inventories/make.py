"""Write the inventories: where other projects document the names that this site links to.

Run it as ``python docs/_inventories/make.py`` after adding a name below. The site is built without
the network, and whole inventories are megabytes of names that nothing here refers to.
"""

from __future__ import annotations

import zlib
from pathlib import Path

HERE = Path(__file__).parent
# By project: names by role, each with its page; ``$`` in a page is the name itself.
PROJECTS: dict[str, dict[str, dict[str, str]]] = {
    "python": {
        "py:class": {
            "bool": "library/functions.html#$",
            "bytes": "library/stdtypes.html#$",
            "dict": "library/stdtypes.html#$",
            "float": "library/functions.html#$",
            "int": "library/functions.html#$",
            "list": "library/stdtypes.html#$",
            "str": "library/stdtypes.html#$",
            "tuple": "library/stdtypes.html#$",
        },
        "py:data": dict.fromkeys(("False", "None", "True"), "library/constants.html#$"),
        "py:function": {"callable": "library/functions.html#$"},
        "std:label": {"bltin-boolean-values": "library/stdtypes.html#$"},
        "std:term": dict.fromkeys(("iterable", "iterator", "sequence"), "glossary.html#term-$"),
    },
    "numpy": {
        "py:class": {
            "numpy.ndarray": "reference/generated/$.html#$",
            "numpy.random.Generator": "reference/random/generator.html#$",
            "numpy.random.RandomState": "reference/random/legacy.html#$",
        },
        "py:function": {"numpy.savez_compressed": "reference/generated/$.html#$"},
        "std:term": {"array_like": "glossary.html#term-$"},
    },
    "scipy": {
        "py:function": {"scipy.signal.resample_poly": "reference/generated/$.html#$"},
    },
    "sklearn": {
        "py:class": dict.fromkeys(
            (
                "sklearn.dummy.DummyClassifier",
                "sklearn.model_selection.GroupKFold",
                "sklearn.pipeline.Pipeline",
                "sklearn.utils.Bunch",
                "sklearn.utils.metadata_routing.MetadataRequest",
            ),
            "modules/generated/$.html#$",
        ),
        "py:function": dict.fromkeys(
            (
                "sklearn.metrics.make_scorer",
                "sklearn.model_selection.permutation_test_score",
                "sklearn.set_config",
                "sklearn.utils.estimator_checks.check_estimator",
            ),
            "modules/generated/$.html#$",
        ),
        "std:label": {
            "accuracy_score": "modules/model_evaluation.html#accuracy-score",
            "df_output_transform": "modules/df_output_transform.html#df-output-transform",
            "metadata_routing": "metadata_routing.html#metadata-routing",
            "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
                "auto_examples/miscellaneous/plot_set_output.html"
            ),
        },
        "std:term": {"meta-estimator": "glossary.html#term-$"},
    },
    "torch": {"py:class": {"torch.device": "tensor_attributes.html#$"}},
    "skorch": {"py:class": {"skorch.callbacks.Callback": "callbacks.html#$"}},
    "pandas": {
        "py:class": dict.fromkeys(("pandas.DataFrame", "pandas.Series"), "reference/api/$.html#$"),
    },
    "matplotlib": {
        "py:class": {
            "matplotlib.axes.Axes": "api/_as_gen/$.html#$",
            "matplotlib.figure.Figure": "api/_as_gen/$.html#$",
        },
    },
}


def inventory(project: str) -> bytes:
    """Return the content of a project's file, in version 2 of Sphinx's format."""
    head = "# Sphinx inventory version 2\n"
    head += f"# Project: {project}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = [
        f"{name} {role} 1 {page.replace('$', name)} -\n"
        for role, pages in PROJECTS[project].items()
        for name, page in pages.items()
    ]
    return head.encode() + zlib.compress("".join(lines).encode(), 9)


if __name__ == "__main__":
    for project in PROJECTS:
        (HERE / f"{project}.inv").write_bytes(inventory(project))
