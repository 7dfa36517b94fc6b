"""A fitted classifier to one file and back, without pickle."""

from __future__ import annotations

import json
import operator
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from stf2m_sk._validation import resolve_device
from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.sizes import ModuleSizes
from stf2m_sk.personalisation import Support
from stf2m_sk.priors import ClassPriors
from stf2m_sk.training.net import fitted_net
from stf2m_sk.views import ViewSchema

if TYPE_CHECKING:
    from stf2m_sk.classifier import STF2MClassifier

__all__ = ["restore", "save"]

_FORMAT = "stf2m_sk"
_VERSION = 3
_MODULE, _POPULATION = "module.", "population."
_SUPPORT = "support.embeddings"
# What a file cannot carry and a loaded classifier does not need.
_NOT_SAVED = ("callbacks", "pretrained", "random_state")
# By label, which JSON could not tell from text.
_BY_LABEL = ("priors", "class_weight")


def save(classifier: STF2MClassifier, path: str | Path) -> None:
    """Write a fitted classifier; see `STF2MClassifier.save`.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted.
    path : str or Path
        File to write. It is written beside its place and moved there when it is whole.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to save into.")
    header = json.dumps(_describe(classifier), default=_plain)
    state = classifier.net_.module_.state_dict()
    tensors = {_MODULE + name: _compact(value.cpu()) for name, value in state.items()}
    population = classifier._population
    population = population._replace(precision=_upper_half(population.precision))
    for name, value in population._asdict().items():
        tensors[_POPULATION + name] = _compact(value)
    if classifier.support_ is not None:
        tensors[_SUPPORT] = _compact(torch.from_numpy(classifier.support_.embeddings))
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # One entry: safetensors writes several in an order of its own.
        draft.write_bytes(serialise(tensors, metadata={_FORMAT: header}))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def restore(kind: type[STF2MClassifier], path: Path) -> STF2MClassifier:
    """Read a fitted classifier; see `stf2m_sk.load`.

    Parameters
    ----------
    kind : type
        Class of the classifier, which this room does not know.
    path : Path
        File to read.

    Returns
    -------
    STF2MClassifier
        Fitted.

    Raises
    ------
    FileNotFoundError, ValueError
        As of `stf2m_sk.load`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    description, tensors = _read(path)
    try:
        return _rebuild(kind, description, tensors)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise ValueError(f"{str(path)!r} is damaged: {e}") from e


def _describe(classifier: STF2MClassifier) -> dict[str, Any]:
    params = _params(classifier)
    support = classifier.support_
    names = getattr(classifier, "feature_names_in_", None)
    return {
        "version": _VERSION,
        "params": params,
        "sizes": classifier.net_.module_.sizes._asdict(),
        "schema": classifier.schema_.to_dict(),
        "classes": _labels_out(classifier.classes_),
        "population_classes": _labels_out(classifier.population_classes_),
        "priors": {
            "labels": _labels_out(classifier._priors.labels),
            "log_odds": classifier._priors.log_odds.tolist(),
        },
        "support": None if support is None else _labels_out(support.labels),
        # Without the seconds: the same model is the same file.
        "history": [
            {name: value for name, value in row.items() if name != "dur"}
            for row in classifier.history_
        ],
        "n_features_in": int(classifier.n_features_in_),
        "feature_names_in": None if names is None else names.tolist(),
    }


def _params(classifier: STF2MClassifier) -> dict[str, Any]:
    params = classifier.get_params(deep=False)
    for name in _NOT_SAVED:
        del params[name]
    if isinstance(params["schema"], ViewSchema):
        params["schema"] = params["schema"].to_dict()
    for name in _BY_LABEL:
        params[name] = _by_label_out(params[name])
    for name, value in params.items():
        try:
            json.dumps(value, default=_plain)
        except TypeError as error:
            raise TypeError(f"The parameter {name}={value!r} cannot be saved: {error}") from error
    return params


def _by_label_out(value: Any) -> Any:
    """A dict by label as pairs; an array as a list."""
    if isinstance(value, dict):
        return {"pairs": [[label, number] for label, number in value.items()]}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _by_label_in(saved: Any) -> Any:
    return {label: number for label, number in saved["pairs"]} if isinstance(saved, dict) else saved


def _plain(value: Any) -> Any:
    """A NumPy scalar as JSON knows it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"JSON knows no {type(value).__name__}.")


def _compact(values: torch.Tensor) -> torch.Tensor:
    """The fewest bytes that hold the same numbers."""
    for dtype in (torch.float16, torch.float32):
        if torch.equal(values.to(dtype).to(values.dtype), values):
            return values.to(dtype).contiguous()
    return values.contiguous()


def _upper_half(matrix: torch.Tensor) -> torch.Tensor:
    """A symmetric matrix without what is there twice."""
    return matrix[tuple(torch.triu_indices(*matrix.shape))]


def _symmetric(upper_half: torch.Tensor, size: int) -> torch.Tensor:
    """Back from `_upper_half`."""
    matrix = upper_half.new_zeros(size, size)
    rows, columns = torch.triu_indices(size, size)
    matrix[rows, columns] = upper_half
    matrix[columns, rows] = upper_half
    return matrix


def _labels_out(labels: NDArray) -> dict[str, Any]:
    values = labels.tolist()
    wrong = {type(value).__name__ for value in values} - {"str", "int", "float", "bool"}
    if wrong:
        raise TypeError(
            f"Labels of type {', '.join(sorted(wrong))} cannot be saved; use text or numbers."
        )
    return {"dtype": labels.dtype.str, "values": values}


def _labels_in(saved: dict[str, Any]) -> NDArray:
    kind = np.dtype(saved["dtype"])
    if kind.kind not in "USOiufb":
        raise TypeError(f"labels of dtype {kind}")
    if not saved["values"]:
        raise ValueError("it holds no labels")
    return np.array(saved["values"], dtype=kind)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if _FORMAT not in metadata:
                raise ValueError(
                    f"{str(path)!r} is a safetensors file, but not one that "
                    "STF2MClassifier.save wrote."
                )
            description = json.loads(metadata[_FORMAT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{str(path)!r} is damaged, or no file of STF2MClassifier.save: {error}"
        ) from error
    if not isinstance(description, dict):
        raise ValueError(f"{str(path)!r} is damaged: its header is no description of a classifier.")
    if description.get("version") != _VERSION:
        raise ValueError(
            f"{str(path)!r} has format version {description.get('version')}; this stf2m_sk reads "
            f"version {_VERSION}. Load it with the version of stf2m_sk that wrote it."
        )
    return description, tensors


def _rebuild(kind, description, tensors) -> STF2MClassifier:
    params = description["params"]
    classifier = kind(**params | {name: _by_label_in(params[name]) for name in _BY_LABEL})
    sizes = ModuleSizes(**description["sizes"])
    schema = ViewSchema.from_dict(description["schema"])
    module = STF2MModule(sizes, generator=torch.Generator().manual_seed(0))
    module.load_state_dict(_with_prefix(tensors, _MODULE))
    saved = _with_prefix(tensors, _POPULATION)
    population = MetaKnowledge(**{name: value.double() for name, value in saved.items()})
    population = population._replace(
        precision=_symmetric(population.precision, module.embedding_size + 1)
    )
    known = _labels_in(description["population_classes"])
    if [modality.n_channels for modality in schema] != list(sizes.n_channels):
        raise ValueError("its schema has other channels than its network")
    if (known[1:] <= known[:-1]).any():
        raise ValueError("the classes of its population are not sorted")
    _check_shapes(population, module.embedding_size, len(known))
    support = None
    n_columns = module.embedding_size + sum(module.novelty_sizes)
    if description["support"] is not None:
        support = Support(tensors[_SUPPORT].double().numpy(), _labels_in(description["support"]))
        if support.embeddings.shape != (len(support.labels), n_columns):
            raise ValueError("its support has another shape than its labels say")
    beliefs = description["priors"]
    priors = ClassPriors(_labels_in(beliefs["labels"]), np.array(beliefs["log_odds"], dtype=float))
    if priors.labels.shape != priors.log_odds.shape:
        raise ValueError("its priors have another length than their labels")
    net = fitted_net(module, description["history"], _device_here(classifier.device))
    classifier._set_fitted(
        net=net,
        schema=schema,
        population=population,
        population_classes=known,
        priors=priors,
        support=support,
        classes=_labels_in(description["classes"]),
    )
    classifier.n_features_in_ = operator.index(description["n_features_in"])
    if description["feature_names_in"] is not None:
        names = [operator.concat(name, "") for name in description["feature_names_in"]]
        classifier.feature_names_in_ = np.array(names, dtype=object)
    return classifier


def _check_shapes(population: MetaKnowledge, dim: int, n_classes: int) -> None:
    expected = MetaKnowledge(
        precision=(dim + 1, dim + 1),
        evidence=(dim + 1, n_classes),
        prototypes=(n_classes, dim),
        known=(n_classes,),
        n_clips=(),
        contrasts=(dim + 1, n_classes),
        shifts=(dim + 1, population.shifts.shape[-1]),
    )
    for name, shape in expected._asdict().items():
        given = tuple(getattr(population, name).shape)
        if given != shape:
            raise ValueError(f"population.{name} has shape {given}, expected {shape}")


def _device_here(device: str) -> str:
    """The device of the saved classifier, or the CPU where this machine has no such device."""
    try:
        return resolve_device(device)
    except ValueError:
        return "cpu"


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
