"""The card of a model: what is on it is true, and the same after saving and loading."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.exceptions import NotFittedError

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.card import ModelCard
from stf2m_sk.views import Views

pytestmark = pytest.mark.filterwarnings("ignore:y holds labels that are new")


def section(card, name):
    """The lines of a section."""
    found = re.search(rf"^## {name}\n\n(.*?)(?=^## |\Z)", str(card), re.MULTILINE | re.DOTALL)
    return found.group(1).splitlines() if found else None


class TestTrainingData:
    def test_counts(self, fitted, people):
        said = section(fitted.model_card(), "Training data")
        assert f"- People: {len(np.unique(people.groups))}" in said
        assert f"- Clips: {len(people.target)}" in said
        for emotion, n_clips in zip(*np.unique(people.target, return_counts=True), strict=True):
            assert f"| {emotion} | {n_clips} |" in said

    def test_modalities(self, fitted, people):
        absent = (~people.views.present).sum(axis=0)
        assert absent.max() > 0
        said = section(fitted.model_card(), "Training data")
        for modality, n in zip(people.views.schema, absent, strict=True):
            share = f"{n} ({n / len(people.target):.0%})"
            seconds = modality.n_timesteps / modality.rate
            line = f"| {modality.name} | {modality.n_channels} | {modality.rate:g} Hz "
            assert f"{line}| {seconds:g} s | {share} |" in said

    def test_names_of_channels_and_no_rate(self, quick, arrays):
        views = Views({"hands": arrays.X}, channel_names={"hands": ["left", "right"]})
        classifier = quick().fit(views, arrays.y)
        said = section(classifier.model_card(), "Training data")
        assert "| hands | 2: left, right | not known | 12 frames | 0 (0%) |" in said

    def test_people_who_were_not_told_apart(self, fitted_on_array):
        card = fitted_on_array.model_card()
        assert "- People: not told apart (no `groups`)" in section(card, "Training data")
        assert any("how they differ was not learned" in line for line in section(card, "Limits"))

    def test_soft_labels_are_counted_by_their_largest_share(self, quick, arrays):
        shares = np.repeat([[0.9, 0.1], [0.2, 0.8]], 12, axis=0)
        classifier = quick().fit(arrays.X, arrays.y, soft_labels=shares)
        assert "| calm | 12 |" in section(classifier.model_card(), "Training data")


class TestPerson:
    def test_there_is_none_before_adapt(self, fitted):
        assert section(fitted.model_card(), "Person") is None

    def test_clips_and_new_emotions(self, fitted, people):
        labels = [*people.new_target[:3], "zest"]
        person = fitted.adapt(people.new_views[:4], labels, unlabelled=people.new_views)
        said = section(person.model_card(), "Person")
        known, n = np.unique(labels, return_counts=True)
        counted = ", ".join(f"{label} {k}" for label, k in zip(known, n, strict=True))
        assert said[:2] == [
            f"- Labelled clips: 4 ({counted})",
            f"- Unlabelled clips: {len(people.new_views)}",
        ]
        assert "- Not in the training data: zest" in said
        assert f"- It answers with: {', '.join(person.classes_)}" in said

    def test_clips_that_came_later(self, fitted, people):
        fitted.partial_fit(people.new_views[:2], people.new_target[:2])
        assert section(fitted.model_card(), "Person")[0].startswith("- Labelled clips: 2 (")


class TestScores:
    def test_none(self, fitted):
        said = section(fitted.model_card(), "Scores")
        assert said[0].startswith("Not evaluated: no scores were given.")

    def test_a_mapping(self, fitted):
        card = fitted.model_card(
            {"balanced accuracy": 0.71234, "people": 28, "chance": np.float32(0.25)}
        )
        assert section(card, "Scores")[:5] == [
            "| score | value |",
            "| --- | --- |",
            "| balanced accuracy | 0.712 |",
            "| people | 28 |",
            "| chance | 0.25 |",
        ]
        assert "Not evaluated" not in str(card)

    def test_a_frame(self, fitted):
        frame = pd.DataFrame({"shots": [0, 4], "mean": [0.5, 2 / 3], "low": [np.nan, None]})
        assert section(fitted.model_card(frame), "Scores")[:4] == [
            "| shots | mean | low |",
            "| --- | --- | --- |",
            "| 0 | 0.5 | – |",
            "| 4 | 0.667 | – |",
        ]
        named = section(fitted.model_card(frame.set_index("shots")), "Scores")
        assert named == section(fitted.model_card(frame), "Scores")

    @pytest.mark.parametrize(
        ("scores", "error", "message"),
        [
            (0.7, TypeError, "scores is a float; expected a pandas.DataFrame, .* or a mapping"),
            ([0.7], TypeError, "scores is a list"),
            ("good", TypeError, "scores is a str"),
            ({"accuracy": "good"}, TypeError, r"scores\['accuracy'\] is of type str; expected a n"),
            ({"accuracy": True}, TypeError, r"scores\['accuracy'\] is of type bool"),
            ({"accuracy": np.ones(3)}, TypeError, "is of type ndarray; expected .* give the mean"),
            ({}, ValueError, "scores is empty"),
            (pd.DataFrame(), ValueError, "scores is empty"),
            (pd.DataFrame({"mean": []}), ValueError, "scores is empty"),
            (pd.DataFrame({"a": [[1]]}), TypeError, "holds a list in the column 'a'; .* summary"),
        ],
    )
    def test_what_is_none(self, fitted, refuses, scores, error, message):
        refuses(fitted, error, message, lambda: fitted.model_card(scores))

    def test_of_networks_on_people_held_out(self, quick, arrays):
        groups = np.arange(240) % 40  # enough people that some are held out
        X, y = np.tile(arrays.X, (10, 1, 1)), np.tile(arrays.y, 10)
        small = quick(n_networks=2, hidden_dim=4, max_epochs=2)
        classifier = small.fit(X, y, groups=groups)
        best = [max(row["valid_acc"] for row in rows) for rows in classifier.history_]
        said = section(classifier.model_card(), "Scores")[2]
        assert f"on people held out of its training: {best[0]:.3g}, {best[1]:.3g}." in said

    def test_of_networks_where_nobody_is_held_out(self, with_networks):
        assert len(section(with_networks.model_card(), "Scores")) == 2  # one, and a blank line


class TestTheRest:
    def test_settings(self, quick, arrays):
        given = {"n_kernels": np.int64(9), "support_weight": 2.5, "n_networks": 0}
        classifier = quick(n_patterns=160, **given).fit(arrays.X, arrays.y)
        _, changed, kept, *_ = section(classifier.model_card(), "Settings")
        assert changed == "- Set: `n_kernels=9`, `n_networks=0`, `support_weight=2.5`"
        assert kept.startswith("- At their defaults: ")
        assert "`n_patterns=160`" in kept
        defaults = STF2MClassifier().get_params()
        named = set(re.findall(r"`(\w+)=", kept)) | set(given)
        left_out = {"callbacks", "checkpoint", "n_threads", "random_state", "schema"}
        assert named == set(defaults) - left_out

    def test_versions(self, fitted):
        said = section(fitted.model_card(), "Versions at fit")
        for package in (torch, np):
            assert f"- {package.__name__} {package.__version__}" in said
        assert f"- stf2m_sk {stf2m_sk.__version__}" in said
        assert f"- scikit-learn {sklearn.__version__}" in said

    def test_limits(self, fitted, people):
        said = "\n".join(section(fitted.model_card(), "Limits"))
        assert "not a diagnosis" in said
        assert f"seen {len(np.unique(people.groups))} people." in said
        assert "stf2m_sk.inspection.unlikeness" in said

    def test_one_person(self, quick, arrays):
        classifier = quick().fit(arrays.X, arrays.y, groups=np.zeros(24))
        assert "It has seen 1 person." in str(classifier.model_card())

    def test_labels_cannot_break_the_table(self, quick, arrays):
        y = np.where(arrays.y == "calm", "a|b\n*c*", "<x> very_calm_")
        said = section(quick().fit(arrays.X, y).model_card(), "Training data")
        assert r"| a\|b \*c\* | 12 |" in said
        assert r"| \<x\> very_calm\_ | 12 |" in said


class TestCard:
    def test_is_shown_as_it_is(self, fitted):
        card = fitted.model_card()
        assert type(card) is ModelCard
        assert str(card) == repr(card) == card.text == card._repr_markdown_()
        assert str(card).startswith("# Model card: STF2MClassifier\n\n")

    @pytest.mark.parametrize("priors", [None, (0.5, 0.2, 0.3), {"emotion_0": 0.8}])
    def test_is_the_same_after_loading(self, quick, people, tmp_path, priors):
        if isinstance(priors, dict):
            priors = priors | {"emotion_1": 0.1, "emotion_2": 0.1}
        schema = people.views.schema
        classifier = quick(priors=priors, schema=schema, n_threads=1, checkpoint=tmp_path / "fit")
        classifier.fit(people.views, people.target, groups=people.groups)
        person = classifier.adapt(
            people.new_views[:2], ["zest", "emotion_0"], unlabelled=people.new_views
        )
        for one in (classifier, person):
            one.save(tmp_path / "model")
            loaded = stf2m_sk.load(tmp_path / "model")
            assert str(loaded.model_card({"f1": 0.5})) == str(one.model_card({"f1": 0.5}))

    def test_needs_a_fit(self):
        with pytest.raises(NotFittedError):
            STF2MClassifier().model_card()
