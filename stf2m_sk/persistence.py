"""A fitted classifier to one file and back, without pickle."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from stf2m_sk._validation import resolve_device
from stf2m_sk.fitted import FittedModel
from stf2m_sk.model_file import ModelFileError, damaged, read, write
from stf2m_sk.nn.encoder import EmotionNetwork, NetworkEnsemble
from stf2m_sk.nn.module import ModuleSizes, STF2MModule
from stf2m_sk.nn.population import SYMMETRIC, Numbers, Population
from stf2m_sk.person import PersonMean, Support
from stf2m_sk.priors import ClassPriors
from stf2m_sk.provenance import restored
from stf2m_sk.views import ViewSchema

if TYPE_CHECKING:
    from stf2m_sk.classifier import STF2MClassifier

__all__ = ["NOT_SAVED", "restore", "save"]

_VERSION = 8
_MODULE, _POPULATION = "module.", "population."
_SUPPORT, _SHARES, _PERSON = "support.features", "support.shares", "person.features"
# What a file cannot carry, or is a matter of the machine, and a loaded classifier does not need.
NOT_SAVED = ("callbacks", "checkpoint", "n_threads", "random_state")
_LONGEST_CLIP = 2**40  # frames
# By label, which JSON could not tell from text.
_BY_LABEL = ("priors",)


def save(classifier: STF2MClassifier, path: str | Path) -> None:
    """Write a fitted classifier; see `STF2MClassifier.save`.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted.
    path : str or Path
        File to write, whole or not at all.
    """
    description = json.loads(json.dumps(_describe(classifier), default=_plain))
    write(path, description, _tensors(classifier.model_))


def _tensors(model: FittedModel) -> dict[str, torch.Tensor]:
    state = model.module.state_dict()
    tensors = {_MODULE + name: _compact(value.cpu()) for name, value in state.items()}
    for name, value in model.population._asdict().items():
        whole = _upper_half(value) if name in SYMMETRIC else value
        tensors[_POPULATION + name] = _compact(whole)
    if model.support is not None:
        tensors[_SUPPORT] = _compact(torch.from_numpy(model.support.features))
        tensors[_SHARES] = _compact(torch.from_numpy(model.support.shares.toarray()))
    if model.person is not None:
        tensors[_PERSON] = _compact(torch.from_numpy(model.person.features))
    return tensors


def restore(make: Callable[..., STF2MClassifier], path: Path) -> STF2MClassifier:
    """Read a fitted classifier; see `stf2m_sk.load`.

    Parameters
    ----------
    make : callable
        Makes an unfitted classifier from its parameters: the class, which is above this module.
    path : Path
        File to read.

    Returns
    -------
    STF2MClassifier
        Fitted.

    Raises
    ------
    FileNotFoundError, ModelFileError
        As of `stf2m_sk.load`.
    """
    description, tensors = read(path)
    if description.get("version") != _VERSION:
        raise ModelFileError(
            path,
            f"has format version {description.get('version')!r}; this stf2m_sk reads version "
            f"{_VERSION}",
            "Load it with the version of stf2m_sk that wrote it.",
        )
    try:
        return _rebuild(make, description, tensors)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise damaged(path, str(e)) from e


def _describe(classifier: STF2MClassifier) -> dict[str, Any]:
    model = classifier.model_
    ensemble = model.module.ensemble
    names = getattr(classifier, "feature_names_in_", None)
    return {
        "version": _VERSION,
        "params": _params(classifier),
        "sizes": model.module.sizes._asdict(),
        "networks": 0 if ensemble is None else len(ensemble.networks),
        "hidden_dim": None if ensemble is None else ensemble.networks[0].head.in_features,
        "numbers": model.numbers._asdict(),
        "usual_variance": model.usual_variance,
        "schema": model.schema.to_dict(),
        "classes": _labels_out(model.classes),
        "population_classes": _labels_out(model.population_classes),
        "priors": {
            "labels": _labels_out(model.priors.labels),
            "log_odds": model.priors.log_odds.tolist(),
        },
        "support": None if model.support is None else _labels_out(model.support.labels),
        "support_weight": model.support_weight,
        "person_clips": None if model.person is None else model.person.n_clips,
        # Without the seconds: the same model is the same file.
        "history": [
            [{name: value for name, value in row.items() if name != "dur"} for row in rows]
            for rows in model.history
        ],
        "provenance": model.provenance._asdict(),
        "n_features_in": int(classifier.n_features_in_),
        "feature_names_in": None if names is None else names.tolist(),
    }


def _params(classifier: STF2MClassifier) -> dict[str, Any]:
    params = classifier.get_params(deep=False)
    for name in NOT_SAVED:
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


def _widened(values: torch.Tensor) -> NDArray[np.floating]:
    """What `_compact` made smaller than float32, in float32 again."""
    return (values.float() if values.dtype == torch.float16 else values).numpy()


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


def _rebuild(make, description, tensors) -> STF2MClassifier:
    params = description["params"]
    classifier = make(**params | {name: _by_label_in(params[name]) for name in _BY_LABEL})
    classifier._validate_params()
    classifier.model_ = _model(description, tensors, _device_here(classifier.device))
    classifier.n_features_in_ = operator.index(description["n_features_in"])
    if classifier.n_features_in_ < 1:
        raise ValueError(f"it has {classifier.n_features_in_} features")
    if description["feature_names_in"] is not None:
        names = [operator.concat(name, "") for name in description["feature_names_in"]]
        classifier.feature_names_in_ = np.array(names, dtype=object)
    return classifier


def _model(description, tensors, device: str) -> FittedModel:
    schema = ViewSchema.from_dict(description["schema"])
    known = _sorted_labels(description["population_classes"], "the classes of its population")
    classes = _sorted_labels(description["classes"], "its classes")
    _check_values(tensors)
    _check_sizes(description, sum(values.numel() for values in tensors.values()))
    module = _module(description, len(known))
    if [modality.n_channels for modality in schema] != list(module.sizes.n_channels):
        raise ValueError("its schema has other channels than its network")
    module.load_state_dict(_with_prefix(tensors, _MODULE))
    n_features = len(module.scaler.mean)
    support, person = None, None
    if description["support"] is not None:
        support = Support(
            _widened(tensors[_SUPPORT]),
            _sorted_labels(description["support"], "the labels of its support"),
            csr_array(tensors[_SHARES].double().numpy()),
        )
        n_clips = len(support.features)
        _check_shape(support.features, (n_clips, n_features), "support")
        _check_shape(support.shares, (n_clips, len(support.labels)), "shares of the support")
        if not np.isin(support.labels, classes).all():
            raise ValueError("its support has labels that are none of its classes")
        if (support.shares.data < 0).any() or (abs(support.shares.sum(axis=1) - 1) > 1e-6).any():
            raise ValueError("the shares of its support are no shares")
    if description["person_clips"] is not None:
        n_clips = operator.index(description["person_clips"])
        if n_clips < 1:
            raise ValueError(f"its person has {n_clips} clips")
        person = PersonMean(tensors[_PERSON].double().numpy(), n_clips)
        _check_shape(person.features, (n_features,), "person")
    saved = description["priors"]
    priors = ClassPriors(_labels_in(saved["labels"]), np.array(saved["log_odds"], dtype=float))
    _check_shape(priors.log_odds, priors.labels.shape, "priors")
    if not np.isfinite(priors.log_odds).all():
        raise ValueError("its priors are not finite")
    model = FittedModel(
        module=module.eval().to(device),
        schema=schema,
        population=_population(_with_prefix(tensors, _POPULATION), module.n_rules, len(known)),
        numbers=_numbers(description["numbers"]),
        usual_variance=_positive(description["usual_variance"], "usual variance"),
        population_classes=known,
        priors=priors,
        classes=classes,
        provenance=restored(description["provenance"], len(known), len(schema)),
        support=support,
        person=person,
        history=_history(description["history"]),
        support_weight=_positive(description["support_weight"], "support weight"),
    )
    _ = model.state  # a state that cannot be computed is damage, too
    return model


def _sorted_labels(saved: dict[str, Any], name: str) -> NDArray:
    labels = _labels_in(saved)
    if (labels[1:] <= labels[:-1]).any():
        raise ValueError(f"{name} are not sorted")
    return labels


def _numbers(saved: dict[str, Any]) -> Numbers:
    return Numbers(**{name: _positive(value, name) for name, value in saved.items()})


def _positive(value: Any, name: str) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"its {name} is {number}, which is not positive")
    return number


def _history(saved: Any) -> list[list[dict[str, float]]]:
    if not isinstance(saved, list):
        raise TypeError("its history is no list")
    figures = [value for rows in saved for row in rows for value in row.values()]
    if not all(isinstance(value, int | float) for value in figures):
        raise TypeError("its history holds other things than numbers")
    return saved


def _check_values(tensors: dict[str, torch.Tensor]) -> None:
    for name, values in tensors.items():
        if not torch.isfinite(values).all():
            raise ValueError(f"its {name} holds values that are not finite")


def _check_sizes(description: dict[str, Any], n_values: int) -> None:
    """Refuse sizes that the file is too short for, before anything is allocated for them."""
    sizes = ModuleSizes(**description["sizes"])
    counts = [sizes.n_kernels, sizes.n_patterns, sizes.n_taps, sizes.most_mixed]
    counts += [*sizes.n_channels, *sizes.n_timesteps]
    if any(operator.index(count) < 0 for count in counts):
        raise ValueError("its sizes are negative")
    n_modalities, n_channels = len(sizes.n_channels), sum(sizes.n_channels)
    n_networks = operator.index(description["networks"])
    hidden_dim = operator.index(description["hidden_dim"]) if n_networks else 0
    least = (
        (sizes.n_kernels / n_modalities) * max(sizes.n_taps, n_channels / n_modalities),
        sizes.n_patterns * sizes.n_taps,
        n_channels,
        abs(n_networks) * hidden_dim * max(hidden_dim, n_channels, n_modalities) / 4,
    )
    if max(least) > n_values or max(sizes.n_timesteps) > _LONGEST_CLIP:
        raise ValueError(f"its sizes need more than the {n_values} values that it holds")


def _module(description, n_classes: int) -> STF2MModule:
    sizes = ModuleSizes(**description["sizes"])
    generator = torch.Generator().manual_seed(0)
    module = STF2MModule(sizes, generator=generator)
    if description["networks"]:
        networks = [
            EmotionNetwork(
                sizes.n_channels,
                sizes.n_timesteps,
                n_classes,
                hidden_dim=description["hidden_dim"],
                generator=generator,
            )
            for _ in range(description["networks"])
        ]
        module.attach(NetworkEnsemble(networks), n_classes)
    return module


def _population(saved: dict[str, torch.Tensor], n_features: int, n_classes: int) -> Population:
    saved = {name: value.double() for name, value in saved.items()}
    n_directions = saved["directions"].shape[1]
    sides = {"within": n_directions, "between": n_directions, "counts": n_classes}
    for name, side in sides.items():
        saved[name] = _symmetric(saved[name], side)
    population = Population(**saved)
    expected = Population(
        directions=(n_features, n_directions),
        within=(n_directions, n_directions),
        between=(n_directions, n_directions),
        within_labels=(n_directions, n_classes),
        between_labels=(n_directions, n_classes),
        counts=(n_classes, n_classes),
        shares=(n_classes,),
    )
    for name, shape in expected._asdict().items():
        _check_shape(getattr(population, name), shape, f"population.{name}")
    return population


def _check_shape(values, shape: tuple[int, ...], name: str) -> None:
    if tuple(values.shape) != shape:
        raise ValueError(f"its {name} has shape {tuple(values.shape)}, expected {shape}")


def _device_here(device: str) -> str:
    """The device of the saved classifier, or the CPU where this machine has no such device."""
    try:
        return resolve_device(device)
    except ValueError:
        return "cpu"


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
