"""The classifier: meta-train on a population, personalise from a few labelled clips."""

from __future__ import annotations

import copy
import os
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from stf2m_sk import persistence
from stf2m_sk._validation import (
    check_labels,
    check_measured,
    note_features,
    torch_threads,
)
from stf2m_sk.fitting import conditioned, meta_trained
from stf2m_sk.nn.meta_rnn import Classes
from stf2m_sk.nn.rules import RuleBase
from stf2m_sk.personalisation import (
    Support,
    embed_parts,
    embed_views,
    join_labels,
    merge,
    read_support,
)
from stf2m_sk.views import Views, ViewSchema, as_views

__all__ = ["STF2MClassifier"]


class STF2MClassifier(ClassifierMixin, BaseEstimator):
    """Few-shot emotion recognition from multi-modal recordings (ST-F2M).

    Meta-train once on the clips of many people with `fit`; then a handful of labelled clips of
    a new person, or of an emotion never seen before, is enough: `adapt` returns a classifier for
    that person in milliseconds, without a gradient step.

    Parameters
    ----------
    n_rules : int, default=16
        Fuzzy rules.
    rule_placement : {"c-means", "k-means", "random"}, default="c-means"
        How the centres of the rules are found: see `stf2m_sk.fuzzy.place_rules`.
    embedding_dim : int, default=64
        Dimension of the learned part of a clip's embedding.
    hidden_dim : int, default=32
        Width of the learned convolutions; a multiple of 4.
    n_kernels : int, default=600
        Random convolution kernels beside the learned ones, shared out over the modalities.
    dropout : float, default=0.2
        Share of the learned activations dropped in training.
    view_dropout : float, default=0.2
        Probability with which a view is left out of an episode.
    n_way : int, default=8
        Emotions of a training episode; fewer where a person has fewer.
    n_support : int, default=4
        Most support clips per emotion of a training episode. The episode is answered after 0,
        1, 2 and 4 of them.
    n_query : int, default=4
        Most query clips per emotion of a training episode.
    max_epochs : int, default=8
        Most epochs of training, of ten batches of four episodes each; of fewer where ten would
        pass the clips more than sixteen times.
    learning_rate : float, default=2e-3
        Largest learning rate of the one-cycle schedule.
    validation_fraction : float, default=0.15
        Share of the people (without `groups`, of the clips of each class) by which epochs are
        compared. The best epoch's weights are kept. Nobody is held out where there are fewer
        than five people, or where those held out could not form an episode. People held out
        still count to the population afterwards.
    patience : int, default=4
        Epochs without improvement after which training stops.
    priors : array-like of shape (n_classes,) or dict of label to float, default=None
        Probabilities of the classes before a clip is seen, in the order of `classes_` at `fit`;
        positive, summing to 1. A dict may name emotions that are still to come. None: all are
        alike, however many clips they have. An emotion without a prior counts as one of 1 /
        n_classes.
    class_weight : dict of label to float or "balanced", default=None
        Factors of the odds of the classes; 1 for a label that is left out. "balanced" is the same
        as None: clips are weighted so that classes count alike.
    support_weight : float, default=1.0
        Factor of the weight that meta-training has learned for a support clip: above 1 trusts the
        person more, below 1 the population.
    spatial : bool, default=True
        False leaves the spatial convolutions out: each random kernel sees one channel alone, and
        the learned convolutions, which see them together, count for nothing. This switch and the
        next three are for ablation: see what a part is worth on your recordings.
    temporal : bool, default=True
        False leaves the temporal convolutions out: the order of the frames is lost.
    rules : bool, default=True
        False lets the fuzzy rules count for nothing.
    meta_rnn : bool, default=True
        False leaves of the meta-recurrent learner a ridge regression on the population and the
        support: no knowledge of how people and classes differ, no gates.
    pretrained : STF2MClassifier, FrozenEstimator, str or path-like, default=None
        A fitted classifier, a frozen one, or the file of a saved one. `fit` then does not
        meta-train: it is `adapt` of that classifier to the clips given, with the `priors`,
        `class_weight` and `support_weight` of this one, so that cross-validation on a new person
        takes seconds. `clone` keeps it by reference. Parameters of the network are then without
        effect, those of meta-training too but for fine-tuning. The device stays where it is.
    fine_tune_epochs : int, default=0
        With `pretrained`: epochs of four batches of episodes, drawn from the clips of `fit`, by
        which a copy of the weights is trained at a tenth of `learning_rate`. It takes two clips
        of each of two classes.
    schema : ViewSchema or dict, default=None
        Says which modalities a plain array holds: see `stf2m_sk.views.as_views`. Not needed for
        `Views` and dicts.
    callbacks : sequence of skorch callbacks, default=()
        Called during meta-training.
    device : str, default="auto"
        Torch device of training and prediction; "auto" takes a CUDA device if there is one.
    precision : {"float32", "bf16"}, default="float32"
        In which the learned convolutions are computed in meta-training. "bf16" is torch's
        automatic mixed precision: quicker on GPUs that have it. Answers are always computed in
        the dtype of X.
    n_threads : int, default=None
        Torch threads during a call; None leaves torch's setting, but takes one thread inside a
        worker of joblib, so that parallel fits do not get in each other's way.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState instance or None, default=None
        Decides everything random. With the same seed and number of threads the result is the
        same to the last bit. NumPy's and torch's global generators are never used.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the answers, sorted.
    population_classes_ : array
        Labels that the population has; other labels are unknown emotions.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : array of str
        Column names, if X was a DataFrame with text column names.
    schema_ : ViewSchema
        Modalities, channels, rates and usual lengths.
    net_ : skorch.NeuralNet
        The meta-trained net; shared with all adapted classifiers.
    rules_ : RuleBase
        The fuzzy rules. Their consequents are solved for in closed form, one output a label of
        `classes_`: of the population after `fit`, of the person after `adapt`.
    history_ : list of dict
        Losses and accuracy of each epoch.
    support_ : Support or None
        Labelled clips read since meta-training.

    See Also
    --------
    stf2m_sk.load : Read a classifier that `save` has written.
    stf2m_sk.fuzzy.FuzzyRuleTransformer : The fuzzy rules as a step of their own.

    Notes
    -----
    The method is ST-F2M (Wang, Qiang, Zheng, Sun, arXiv 2412.13541), of which the abstract gives
    the parts: views as tasks, spatial and temporal convolutions, generalized fuzzy rules and a
    meta-recurrent network. The form of each part is ours, see `stf2m_sk.nn`.

    Each modality is scaled with the means and deviations of the training clips. NaN means not
    measured: a frame, a channel or a whole modality; trailing NaN of any length changes nothing.
    A clip in which nothing at all is measured is an error. The answer has the floating dtype of
    X, and a clip's answer does not depend on the other clips of the call.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> clf = STF2MClassifier(max_epochs=2, random_state=0)
    >>> clf = clf.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> person = clf.adapt(data.views[new][::2], data.target[new][::2])
    >>> person.predict_proba(data.views[new][1::2]).shape
    (12, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_rules": [Interval(Integral, 1, None, closed="left")],
        "rule_placement": [StrOptions({"c-means", "k-means", "random"})],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "hidden_dim": [Interval(Integral, 4, None, closed="left")],
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "view_dropout": [Interval(Real, 0, 1, closed="left")],
        "n_way": [Interval(Integral, 2, None, closed="left")],
        "n_support": [Interval(Integral, 1, None, closed="left")],
        "n_query": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "priors": ["array-like", dict, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "support_weight": [Interval(Real, 0, None, closed="neither")],
        "spatial": ["boolean"],
        "temporal": ["boolean"],
        "rules": ["boolean"],
        "meta_rnn": ["boolean"],
        "pretrained": [HasMethods(["fit"]), str, os.PathLike, None],
        "fine_tune_epochs": [Interval(Integral, 0, None, closed="left")],
        "schema": [ViewSchema, dict, None],
        "callbacks": ["array-like"],
        "device": [str],
        "precision": [StrOptions({"float32", "bf16"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_rules=16,
        rule_placement="c-means",
        embedding_dim=64,
        hidden_dim=32,
        n_kernels=600,
        dropout=0.2,
        view_dropout=0.2,
        n_way=8,
        n_support=4,
        n_query=4,
        max_epochs=8,
        learning_rate=2e-3,
        validation_fraction=0.15,
        patience=4,
        priors=None,
        class_weight=None,
        support_weight=1.0,
        spatial=True,
        temporal=True,
        rules=True,
        meta_rnn=True,
        pretrained=None,
        fine_tune_epochs=0,
        schema=None,
        callbacks=(),
        device="auto",
        precision="float32",
        n_threads=None,
        verbose=0,
        random_state=None,
    ):
        self.n_rules = n_rules
        self.rule_placement = rule_placement
        self.embedding_dim = embedding_dim
        self.hidden_dim = hidden_dim
        self.n_kernels = n_kernels
        self.dropout = dropout
        self.view_dropout = view_dropout
        self.n_way = n_way
        self.n_support = n_support
        self.n_query = n_query
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.priors = priors
        self.class_weight = class_weight
        self.support_weight = support_weight
        self.spatial = spatial
        self.temporal = temporal
        self.rules = rules
        self.meta_rnn = meta_rnn
        self.pretrained = pretrained
        self.fine_tune_epochs = fine_tune_epochs
        self.schema = schema
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.n_threads = n_threads
        self.verbose = verbose
        self.random_state = random_state

    # ---- the four verbs ----

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y: ArrayLike, *, groups: ArrayLike | None = None) -> STF2MClassifier:
        """Meta-train on a population; with `pretrained`, condition on these clips.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`. NaN where not measured.
        y : array-like of shape (n_clips,)
            Labels of any type.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip. Episodes are then drawn inside one person, and the others are
            its population: that is how the classifier will be used on a new person. By default
            all clips count as one population.

        Returns
        -------
        STF2MClassifier
            This classifier; `predict` gives the population's answer (zero shots).

        Raises
        ------
        ValueError
            If X, y or groups do not fit together, hold infinite values, or are too few for an
            episode: 2 clips of each of 2 classes (of one person, with `groups`); if `priors` or
            `class_weight` do not fit the classes; if there are `fine_tune_epochs` without
            `pretrained`.
        TypeError, NotFittedError, FileNotFoundError
            If `pretrained` is none, or is not fitted.
        """
        fitted, views = (meta_trained if self.pretrained is None else conditioned)(
            self, X, y, groups
        )
        note_features(self, X, views, reset=True)
        return self._set_fitted(**fitted._asdict())

    def adapt(self, X, y: ArrayLike, classes: ArrayLike | None = None) -> STF2MClassifier:
        """Personalise: a new classifier from the population and these labelled clips.

        Parameters
        ----------
        X : as in `fit`
            Support clips of a person.
        y : array-like of shape (n_clips,)
            Their labels; new emotions are welcome.
        classes : array-like, default=None
            Labels that the new classifier answers with. By default those in `y`. A label
            without a clip is answered from the population.

        Returns
        -------
        STF2MClassifier
            A fitted classifier. It starts from the population, whatever support this one had,
            and shares its weights; this one is not changed.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        ValueError
            If X or y are not as at `fit`, `classes` lacks a label of `y`, or a parameter was set
            to what it cannot be.
        TypeError
            If labels are text where those at `fit` were numbers, or the other way round.
        """
        check_is_fitted(self)
        self._validate_params()  # `set_params` may have come since `fit`
        support = self._embed_support(X, y)
        join_labels([self.population_classes_, support.labels])  # text and numbers: an error
        wanted = np.unique(
            support.labels if classes is None else check_labels(classes, None, name="classes")
        )
        _check_covers(wanted, support.labels)
        adapted = copy.copy(self)
        adapted._take_support(merge(None, support), wanted)
        return adapted

    def partial_fit(self, X, y: ArrayLike, classes: ArrayLike | None = None) -> STF2MClassifier:
        """Add labelled clips to the support; on an unfitted classifier, `fit`.

        There is no gradient step: a fitted classifier answers in milliseconds. Adding clips in
        parts, in any order, is the same as adding them at once.

        Parameters
        ----------
        X : as in `fit`
            Clips.
        y : array-like of shape (n_clips,)
            Their labels; new emotions are welcome.
        classes : array-like, default=None
            Further labels to answer with; `classes_` becomes the union of what it was, these and
            those in `y`. On an unfitted classifier labels without a clip are unknown emotions.

        Returns
        -------
        STF2MClassifier
            This classifier.

        Raises
        ------
        ValueError
            If X or y are not as at `fit`, a parameter was set to what it cannot be, or on an
            unfitted classifier `classes` lacks a label of `y`.
        """
        if not self.__sklearn_is_fitted__():
            return self._fit_reserving(X, y, classes)
        self._validate_params()  # `set_params` may have come since `fit`
        new = self._embed_support(X, y)
        wanted = [self.classes_, new.labels]
        if classes is not None:
            wanted.append(check_labels(classes, None, name="classes"))
        wanted = np.unique(join_labels(wanted))
        self._take_support(merge(self.support_, new), wanted)
        return self

    def predict_proba(self, X) -> NDArray[np.floating]:
        """Probabilities of the labels.

        Parameters
        ----------
        X : as in `fit`
            Clips. Lengths may differ from those at `fit`, and modalities may be absent.

        Returns
        -------
        array of shape (n_clips, n_classes)
            Rows sum to 1; columns are in the order of `classes_`; float32 if X is, else float64.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        ValueError
            If a modality, a channel count or a rate is not as at `fit`, a value is infinite or
            nothing is measured in a clip.
        """
        return torch.softmax(self._logits(X), dim=-1).numpy()

    def predict_log_proba(self, X) -> NDArray[np.floating]:
        """Logarithms of the probabilities of the labels.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes)
            As `predict_proba`, without its underflow.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_proba`.
        """
        return torch.log_softmax(self._logits(X), dim=-1).numpy()

    def decision_function(self, X) -> NDArray[np.floating]:
        """Logits of the labels.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes), or (n_clips,) with two classes
            The softmax of the logits is `predict_proba`. With two classes: how much the logit of
            the second exceeds that of the first.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_proba`.
        """
        logits = self._logits(X).numpy()
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict(self, X) -> NDArray:
        """Most probable label of each clip.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips,)
            Labels, of the type that `fit` was given.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_proba`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def save(self, path: str | Path) -> None:
        """Write this fitted classifier to one file, without pickle.

        Parameters
        ----------
        path : str or Path
            File to write: safetensors with JSON in its header. Written whole or not at all.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        TypeError
            If labels or parameters have a type that JSON cannot carry.
        """
        check_is_fitted(self)
        persistence.save(self, path)

    # ---- what was learned ----

    @property
    def rules_(self) -> RuleBase:
        """The fuzzy rules; one output of the consequents a label of `classes_`."""
        check_is_fitted(self)
        return self.net_.module_.rule_base(self._state)

    @property
    def history_(self) -> list[dict]:
        """Losses and accuracy of each epoch."""
        check_is_fitted(self)
        kept = ("epoch", "train_loss", "valid_loss", "valid_acc", "dur")
        return [{key: row[key] for key in kept if key in row} for row in self.net_.history]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_clone__(self):
        # What was meta-trained is the point of `pretrained`: it is kept, not cloned.
        bare = copy.copy(self)
        bare.pretrained = None
        return BaseEstimator.__sklearn_clone__(bare).set_params(pretrained=self.pretrained)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    # ---- inner steps ----

    def _set_fitted(
        self, *, net, schema, population, population_classes, priors, support, classes
    ) -> STF2MClassifier:
        state = self._read(net.module_, population, population_classes, support, classes)
        self.net_, self.schema_, self._priors = net, schema, priors
        self._population, self.population_classes_ = population, population_classes
        self.support_, self.classes_, self._state = support, classes, state
        return self

    def _read(self, module, population, population_classes, support, classes) -> Classes:
        weight = self.support_weight
        with torch_threads(self.n_threads):
            return read_support(
                module, population, population_classes, support, classes, support_weight=weight
            )

    def _fit_reserving(self, X, y, classes) -> STF2MClassifier:
        if classes is None:
            return self.fit(X, y)
        wanted = np.unique(check_labels(classes, None, name="classes"))
        _check_covers(wanted, check_labels(y, None))
        self.fit(X, y)
        self._take_support(self.support_, wanted)
        return self

    def _as_fitted(self, X) -> Views:
        note_features(self, X, None, reset=False)
        views = as_views(X, self.schema_)
        check_measured(views)
        return views

    def _logits(self, X) -> torch.Tensor:
        check_is_fitted(self)
        views = self._as_fitted(X)
        dtype = torch.from_numpy(np.empty(0, dtype=views.dtype)).dtype
        state = Classes(*(part.to(dtype) for part in self._state))
        beliefs = torch.from_numpy(self._priors.of(self.classes_)).to(dtype)
        # Filled in place: many small results kept apart would keep memory from being used again.
        logits = torch.empty(views.n_clips, len(self.classes_), dtype=dtype)
        start = 0
        with torch_threads(self.n_threads):
            for part in embed_parts(self.net_.module_, views, self.net_.device):
                logits[start : start + len(part)] = state.logits(part) + beliefs
                start += len(part)
        return logits

    def _embed(self, views: Views) -> torch.Tensor:
        return embed_views(self.net_.module_, views, self.net_.device)

    def _embed_support(self, X, y) -> Support:
        views = self._as_fitted(X)
        labels = check_labels(y, views.n_clips)
        with torch_threads(self.n_threads):
            return Support(self._embed(views).double().numpy(), labels)

    def _take_support(self, support: Support | None, classes: NDArray) -> None:
        """Answer from a support; what can fail is done before the first attribute changes."""
        module = self.net_.module_
        state = self._read(module, self._population, self.population_classes_, support, classes)
        self.support_, self.classes_, self._state = support, classes, state


def _check_covers(classes: NDArray, labels: NDArray) -> None:
    extra = np.setdiff1d(labels, classes)
    if len(extra):
        raise ValueError(
            f"y holds labels that `classes` lacks: {extra.tolist()}. Add them to `classes`, or "
            "leave their clips out."
        )
