"""The classifier: meta-train on a population, personalise from a few labelled clips."""

from __future__ import annotations

import copy
import difflib
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from stf2m_sk import card, persistence
from stf2m_sk._validation import (
    check_groups,
    check_labels,
    check_measured,
    check_soft_labels,
    encode_labels,
    local_generator,
    note_features,
    resolve_device,
    torch_threads,
)
from stf2m_sk.doubt import warn_of_unlike
from stf2m_sk.fitted import FittedModel, measured_parts
from stf2m_sk.person import PersonMean, Support, join_labels
from stf2m_sk.priors import class_priors
from stf2m_sk.provenance import provenance_of
from stf2m_sk.training.callbacks import check_callbacks
from stf2m_sk.training.meta_train import TrainingPlan, meta_train
from stf2m_sk.training.network_fitting import NetworkPlan
from stf2m_sk.views import Views, ViewSchema, as_views

__all__ = ["STF2MClassifier"]

_NEW_NAMED = 20  # new emotions that a warning names: each is compared with all that are known


class STF2MClassifier(ClassifierMixin, BaseEstimator):
    """Few-shot emotion recognition from multi-modal recordings (ST-F2M).

    Meta-train once on the clips of many people with `fit`. Then the unlabelled recording of a new
    person, a handful of labelled clips, or both are enough: `adapt` returns a classifier for that
    person in milliseconds, without a gradient step. New emotions are welcome.

    Parameters
    ----------
    n_kernels : int, default=600
        Random convolution kernels, shared out over the modalities; each has four ramp rules.
    n_patterns : int, default=160
        Pattern rules, shared out over the modalities; 0 for none.
    n_networks : int, default=3
        Convolutional networks that are trained beside the rules, each without one part of the
        people; at least 2, or 0 for none: then `fit` takes seconds.
    hidden_dim : int, default=64
        Width of the networks.
    max_epochs : int, default=25
        Most epochs of training of a network.
    learning_rate : float, default=3e-3
        Largest learning rate of the networks' one-cycle schedule.
    view_dropout : float, default=0.0
        Probability with which a view is left out of a clip while the model's numbers are learned.
    support_weight : float, default=1.0
        Factor of the learned precision of a labelled clip: above 1 gives the person more weight,
        below 1 the population.
    priors : array-like of shape (n_classes,) or dict of label to float, default=None
        Probabilities of the classes before a clip is seen, in the order of `classes_` at `fit`;
        positive, summing to 1. A dict may name emotions that are still to come. None: all are
        alike, however many clips they have.
    schema : ViewSchema or dict, default=None
        Says which modalities a plain array holds: see `stf2m_sk.views.as_views`. Not needed for
        `Views` and dicts.
    callbacks : sequence of skorch callbacks, default=()
        Called during the training of every network: instances, classes, or pairs of a name and
        either. A KeyboardInterrupt that one raises at the end of an epoch ends the training of
        that network; Ctrl-C ends `fit`.
    checkpoint : str or Path, default=None
        File in which `fit` keeps the networks trained so far. A fit that was killed at any moment
        goes on from it and gives the same model, to the last bit. When `fit` ends, the file is
        removed. It needs `random_state` to be set. Fits at the same time, as in a search with
        `n_jobs`, need paths of their own, or None.
    device : str, default="auto"
        Torch device of training and prediction; "auto" takes a CUDA device if there is one.
    precision : {"float32", "bf16"}, default="float32"
        In which networks are trained. "bf16" is torch's automatic mixed precision. Predictions
        are always computed in the dtype of X.
    n_threads : int, default=None
        Torch threads during a call; None leaves torch's setting, but takes one thread inside a
        worker of joblib, so that parallel fits do not get in each other's way. A process that
        was forked after the import takes one, whatever is set: torch would hang with more.
    verbose : int, default=0
        1 shows a progress bar over all stages of `fit`. 2 also logs the seconds of each stage, to
        the logger `stf2m_sk` at the level INFO.
    random_state : int, RandomState instance or None, default=None
        Decides everything random. With the same seed and number of threads the result is the
        same to the last bit. NumPy's and torch's global generators are never used.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the predictions, sorted.
    population_classes_ : array
        Labels that the population has; other labels are new emotions.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : array of str
        Column names, if X was a DataFrame with text column names.
    schema_ : ViewSchema
        Modalities, channels, rates and usual lengths.
    model_ : FittedModel
        All that was learned; shared parts are never changed.
    history_ : list of list of dict
        Losses and accuracy of each epoch and what scoring callbacks record, a list for each
        network.

    See Also
    --------
    stf2m_sk.load : Read a classifier that `save` has written.
    stf2m_sk.PersonalisedClassifier : Cross-validation on the clips of one person.
    stf2m_sk.fuzzy.FuzzyPatternTransformer : The pattern rules as a step of a Pipeline.

    Notes
    -----
    The method is ST-F2M (Wang, Qiang, Zheng, Sun, arXiv 2412.13541), of which the abstract gives
    the parts: views as tasks, spatial and temporal convolutions, generalized fuzzy rules and a
    meta-recurrent network. The form of each part is ours, see docs/method.md.

    Each modality is scaled with the means and deviations of the training clips. NaN means not
    measured: a frame, a channel or a whole modality; trailing NaN of any length changes nothing.
    A clip in which nothing at all is measured is an error. A prediction has the floating dtype of
    X and does not depend on the other clips of the call.

    Nothing is cleaned: spikes, flat lines and duplicated clips are learned from as they are, and
    one spike can hide a modality. `stf2m_sk.check_clips` finds them before training.

    Many threads may predict and adapt while another calls `partial_fit`: each answer is that of
    the classifier before or after. Calls that change it must not overlap.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> clf = STF2MClassifier(n_networks=0, random_state=0)
    >>> clf = clf.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> person = clf.adapt(data.views[new][::2], data.target[new][::2])
    >>> person.predict_proba(data.views[new][1::2]).shape
    (12, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_kernels": [Interval(Integral, 1, None, closed="left")],
        "n_patterns": [Interval(Integral, 0, None, closed="left")],
        "n_networks": [Interval(Integral, 2, None, closed="left"), Options(Integral, {0})],
        "hidden_dim": [Interval(Integral, 4, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "view_dropout": [Interval(Real, 0, 1, closed="left")],
        "support_weight": [Interval(Real, 0, None, closed="neither")],
        "priors": ["array-like", dict, None],
        "schema": [ViewSchema, dict, None],
        "callbacks": ["array-like"],
        "checkpoint": [str, Path, None],
        "device": [str],
        "precision": [StrOptions({"float32", "bf16"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_kernels=600,
        n_patterns=160,
        n_networks=3,
        hidden_dim=64,
        max_epochs=25,
        learning_rate=3e-3,
        view_dropout=0.0,
        support_weight=1.0,
        priors=None,
        schema=None,
        callbacks=(),
        checkpoint=None,
        device="auto",
        precision="float32",
        n_threads=None,
        verbose=0,
        random_state=None,
    ):
        self.n_kernels = n_kernels
        self.n_patterns = n_patterns
        self.n_networks = n_networks
        self.hidden_dim = hidden_dim
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.view_dropout = view_dropout
        self.support_weight = support_weight
        self.priors = priors
        self.schema = schema
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.n_threads = n_threads
        self.verbose = verbose
        self.random_state = random_state

    # ---- the verbs ----

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        soft_labels: ArrayLike | None = None,
    ) -> STF2MClassifier:
        """Meta-train on a population.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`. NaN where not measured.
        y : array-like of shape (n_clips,)
            Labels of any type.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip. Everything that is learned is then judged by people who are left
            out: that is how the classifier will be used on a new person. By default all clips
            count as one population.
        soft_labels : array-like of shape (n_clips, n_classes) or DataFrame, default=None
            How a clip is shared out over the labels of `y`, such as the shares of annotators who
            named each; columns in the sorted order of the labels, rows sum to 1. The columns of
            a DataFrame are labels. `y` is then what most of them said. None: `y` alone.

        Returns
        -------
        STF2MClassifier
            This classifier; `predict` gives the population's prediction (zero shots).

        Raises
        ------
        ValueError
            If X, y or groups do not fit together, hold infinite values or values too large for
            float32, or hold one class only; if `priors` or `soft_labels` do not fit the classes;
            if callbacks share a name.
        TypeError
            If one of `callbacks` is none, such as a function; if labels or groups are of types that
            cannot be told apart or sorted, such as text and numbers.
        CheckpointError
            A ValueError: if `checkpoint` is of another fit, which the message compares with this
            one, is used by another fit at this moment, or is a file of another kind.
        OSError
            If `checkpoint` cannot be written: before training where its folder is locked, after
            the first network where the disk is full.
        KeyboardInterrupt
            At Ctrl-C, which leaves the classifier as it was before `fit`.
        """
        views = as_views(X, self.schema)
        labels = check_labels(y, views.n_clips)
        people = check_groups(groups, views.n_clips)
        check_measured(views)
        classes, codes = encode_labels(labels)
        priors = class_priors(self.priors, classes)
        shares = check_soft_labels(soft_labels, labels, classes)
        check_callbacks(self.callbacks)
        plan = self._plan(resolve_device(self.device))
        random_state = local_generator(self.random_state)
        with torch_threads(self.n_threads):
            parts = measured_parts(views)
            trained = meta_train(parts, codes, people, plan, random_state, shares)
        fitted = copy.copy(self)
        note_features(fitted, X, views, reset=True)
        fitted.model_ = FittedModel(
            module=trained.module,
            schema=views.schema,
            population=trained.population,
            numbers=trained.numbers,
            usual_variance=trained.usual_variance,
            population_classes=classes,
            priors=priors,
            classes=classes,
            provenance=provenance_of(views, codes, people),
            history=trained.history,
        )
        self.__dict__ = fitted.__dict__  # at once, or not at all where Ctrl-C is pressed
        return self

    def adapt(
        self,
        X=None,
        y: ArrayLike | None = None,
        *,
        unlabelled=None,
        classes: ArrayLike | None = None,
        soft_labels: ArrayLike | None = None,
    ) -> STF2MClassifier:
        """Personalise: a new classifier from the population and clips of a person.

        Parameters
        ----------
        X : as in `fit`, default=None
            Labelled clips of the person, the support.
        y : array-like of shape (n_clips,), default=None
            Their labels; new emotions are welcome.
        unlabelled : as in `fit`, default=None
            Clips of the person without labels, such as the whole recording; those in `X` may be
            among them. They show how the person differs from others. They should hold the
            emotions as they occur: if they hold one emotion only, its mark is taken for the
            person's.
        classes : array-like, default=None
            Labels that the new classifier answers with. By default those of the population and
            of `y`. A label without a clip is answered from the population.
        soft_labels : array-like of shape (n_clips, n_classes) or DataFrame, default=None
            As at `fit`, of the clips in `X`: columns in the order of the new `classes_`.

        Returns
        -------
        STF2MClassifier
            A fitted classifier. It starts from the population, whatever clips this one had read,
            and shares its weights; this one is not changed.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        ValueError
            If neither labelled nor unlabelled clips are given, X or y are not as at `fit`,
            `classes` lacks a label of `y`, `soft_labels` do not fit, or a parameter was set to
            what it cannot be.
        TypeError
            If labels are text where those at `fit` were numbers, or the other way round; if one of
            X and y is given without the other.

        Warns
        -----
        UserWarning
            If `y` holds a label that neither the population nor `classes` knows.
        """
        check_is_fitted(self)
        self._validate_params()  # `set_params` may have come since `fit`
        if (X is None) != (y is None):
            raise TypeError("X and y belong together: give both, or neither and `unlabelled`.")
        if soft_labels is not None and X is None:
            raise TypeError("soft_labels are of the clips in X: give X and y, too.")
        if X is None and unlabelled is None:
            raise ValueError("adapt got no clip: give X and y, or unlabelled, or all three.")
        model = self.model_
        support = None if X is None else self._embed_support(X, y)
        person = None if unlabelled is None else self._person_mean(unlabelled)
        known = model.population_classes
        labels = known[:0] if support is None else support.labels
        if classes is None:
            _warn_of_new(labels, known)
            wanted = np.unique(join_labels([known, labels]))
        else:
            wanted = np.unique(check_labels(classes, None, name="classes"))
            join_labels([known, wanted, labels])  # text and numbers: an error
            _check_covers(wanted, labels)
        if soft_labels is not None:
            shares = check_soft_labels(soft_labels, check_labels(y, None), wanted)
            support = Support(support.features, wanted, csr_array(shares))
        if support is not None:
            support = support.joined(None)
        adapted = copy.copy(self)
        adapted.model_ = self._derived(support=support, person=person, classes=wanted)
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
            those in `y`. On an unfitted classifier labels without a clip are new emotions.

        Returns
        -------
        STF2MClassifier
            This classifier.

        Raises
        ------
        ValueError
            If X or y are not as at `fit`, a parameter was set to what it cannot be, or on an
            unfitted classifier `classes` lacks a label of `y`.

        Warns
        -----
        UserWarning
            If `y` holds a label that neither this classifier nor `classes` knows.
        """
        if not self.__sklearn_is_fitted__():
            return self._fit_reserving(X, y, classes)
        self._validate_params()  # `set_params` may have come since `fit`
        model = self.model_
        new = self._embed_support(X, y)
        wanted = [model.classes]
        if classes is not None:
            wanted.append(check_labels(classes, None, name="classes"))
        known = join_labels(wanted)
        wanted = np.unique(join_labels([known, new.labels]))
        _warn_of_new(new.labels, known)
        self.model_ = self._derived(support=new.joined(model.support), classes=wanted)
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

        Warns
        -----
        UnlikeClipsWarning
            If clips are unlike anything seen at `fit`: a sensor was off, its unit is another one,
            or the predictive variance is more than twice what is usual for new people.
        """
        return self._answered(X, torch.softmax)[1]

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
        return self._answered(X, torch.log_softmax)[1]

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
        logits = self._answered(X)[1]
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

        Warns
        -----
        UnlikeClipsWarning
            As `predict_proba`.
        """
        classes, probabilities = self._answered(X, torch.softmax)
        return classes[probabilities.argmax(axis=1)]

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
        OSError
            If the file cannot be written: no such folder, no permission, a full disk. What was
            there before is still there, whole.
        """
        check_is_fitted(self)
        persistence.save(self, path)

    def model_card(self, scores=None) -> card.ModelCard:
        """What this classifier was trained on and with, its scores and limits, as Markdown.

        Parameters
        ----------
        scores : DataFrame or mapping of str to float, default=None
            Scores to show, such as the summary of an evaluation on new people. None: the card
            says that the classifier was not evaluated.

        Returns
        -------
        ModelCard
            `str` gives its text; notebooks show it. It is the same after `save` and `load`:
            parameters that no file keeps are left out.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        TypeError
            If `scores` are neither, or hold something else than numbers and text.
        ValueError
            If `scores` are empty.

        Examples
        --------
        >>> from stf2m_sk import STF2MClassifier
        >>> from stf2m_sk.datasets import make_emotion_views
        >>> data = make_emotion_views(n_people=6, random_state=0)
        >>> clf = STF2MClassifier(n_networks=0, random_state=0)
        >>> clf = clf.fit(data.views, data.target, groups=data.groups)
        >>> card = clf.model_card(scores={"balanced accuracy": 0.71})
        >>> "| balanced accuracy | 0.71 |" in str(card)
        True
        """
        check_is_fitted(self)
        return card.describe(self, scores)

    # ---- what was learned ----

    @property
    def classes_(self) -> NDArray:
        """Labels of the predictions, sorted."""
        return self._fitted().classes

    @property
    def population_classes_(self) -> NDArray:
        """Labels that the population has."""
        return self._fitted().population_classes

    @property
    def schema_(self) -> ViewSchema:
        """Modalities, channels, rates and usual lengths."""
        return self._fitted().schema

    @property
    def history_(self) -> Sequence[list[dict]]:
        """Losses and accuracy of each epoch, a list for each network."""
        return self._fitted().history

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    # ---- inner steps ----

    def _fitted(self) -> FittedModel:
        check_is_fitted(self)
        return self.model_

    def _plan(self, device: str) -> TrainingPlan:
        if self.checkpoint is not None and self.random_state is None:
            raise ValueError(
                f"checkpoint={str(self.checkpoint)!r} was given with random_state=None, which "
                "starts anew at each fit: none could be continued. Give an int as random_state."
            )
        networks = NetworkPlan(
            n_networks=self.n_networks,
            hidden_dim=self.hidden_dim,
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
            callbacks=self.callbacks,
            device=device,
            precision=self.precision,
        )
        return TrainingPlan(
            n_kernels=self.n_kernels,
            n_patterns=self.n_patterns,
            networks=networks if self.n_networks else None,
            view_dropout=self.view_dropout,
            device=device,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _derived(self, **changes) -> FittedModel:
        """Another model; its state is computed at once, so that errors come before changes."""
        with torch_threads(self.n_threads):
            model = self.model_.derived(support_weight=float(self.support_weight), **changes)
            _ = model.state
        return model

    def _fit_reserving(self, X, y, classes) -> STF2MClassifier:
        if classes is None:
            return self.fit(X, y)
        wanted = np.unique(check_labels(classes, None, name="classes"))
        _check_covers(wanted, check_labels(y, None))
        fitted = copy.copy(self).fit(X, y)
        fitted.model_ = fitted._derived(classes=wanted)
        self.__dict__ = fitted.__dict__  # as in `fit`
        return self

    def _as_fitted(self, X) -> Views:
        note_features(self, X, None, reset=False)
        views = as_views(X, self.model_.schema)
        check_measured(views)
        return views

    def _answered(self, X, link=None) -> tuple[NDArray, NDArray[np.floating]]:
        """Labels, and what a link function makes of their logits; both of one model."""
        check_is_fitted(self)
        model = self.model_  # `partial_fit` in another thread may set another one meanwhile
        views = self._as_fitted(X)
        with torch_threads(self.n_threads):
            answers = model.answers(views)
            logits = answers.logits if link is None else link(answers.logits, dim=-1)
        warn_of_unlike(answers, views.names)
        return model.classes, logits.numpy()

    def _embed(self, X) -> NDArray[np.floating]:
        views = self._as_fitted(X)
        with torch_threads(self.n_threads):
            return self.model_.embed(views).numpy()

    def _embed_support(self, X, y) -> Support:
        views = self._as_fitted(X)
        labels = check_labels(y, views.n_clips)
        join_labels([self.model_.population_classes, labels])  # text and numbers: an error
        return Support.labelled(self._embed(views), labels)

    def _person_mean(self, unlabelled) -> PersonMean:
        features = self._embed(unlabelled)
        return PersonMean(features.mean(axis=0, dtype=np.float64), len(features))


def _check_covers(classes: NDArray, labels: NDArray) -> None:
    extra = np.setdiff1d(labels, classes)
    if len(extra):
        raise ValueError(
            f"y holds labels that `classes` lacks: {extra.tolist()}. Add them to `classes`, or "
            "leave their clips out."
        )


def _warn_of_new(labels: NDArray, known: NDArray) -> None:
    """Say once which labels are new emotions: one of them may be a typing error."""
    expected = set(known.tolist())
    new = [label for label in np.unique(labels).tolist() if label not in expected]
    if not new:
        return
    texts = [str(label) for label in known.tolist()]
    likely = {
        label: difflib.get_close_matches(str(label), texts, n=1) for label in new[:_NEW_NAMED]
    }
    said = [
        f"{label!r}" + (f" (nearest: {near[0]!r})" if near else "")
        for label, near in likely.items()
    ]
    if len(new) > _NEW_NAMED:
        said.append(f"and {len(new) - _NEW_NAMED} more")
    warnings.warn(
        f"y holds labels that are new to this classifier: {', '.join(said)}. They are taken for "
        "new emotions. Name them in `classes` to say that they are meant.",
        UserWarning,
        stacklevel=3,
    )
