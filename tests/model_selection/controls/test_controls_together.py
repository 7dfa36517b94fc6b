"""All controls beside classifiers, in one table: each is near what it must be by construction."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from stf2m_sk.model_selection import (
    FewShotProtocol,
    MajorityControl,
    NearestInTimeControl,
    PopulationOnly,
    ShuffledLabels,
    StimulusPriorControl,
    compare_few_shot,
    few_shot_score,
)

EMOTIONS = np.array(["calm", "fear", "joy"])
CHANCE = 1 / 3


@pytest.fixture(scope="module")
def blocked():
    """Twelve people watch four films of each emotion, emotion after emotion, with long breaks.

    Everybody shows emotions in an own way: what one person's signal means for fear may mean joy
    for another. Three of four people report what the film is meant to evoke; the others report
    another emotion, the same for all films of a kind.
    """
    generator = np.random.default_rng(0)
    meant = np.tile(np.repeat([0, 1, 2], 8), 12)
    film = np.tile(np.repeat(np.arange(12), 2), 12)
    person = np.repeat(np.arange(12), 24)
    felt = np.where(person % 4 == 0, (meant + 1) % 3, meant)
    own_way = np.array([generator.permutation(3) for _ in range(12)])
    X = 2.5 * np.eye(3)[own_way[person, felt]] + generator.normal(size=(len(felt), 3))
    times = np.tile(np.arange(24) + 1000.0 * np.repeat([0, 1, 2], 8), 12)
    origin = {"contexts": np.array([f"film {i:02d}" for i in film]), "times": times}
    return {"X": X, "y": EMOTIONS[felt], "groups": person}, origin


@pytest.fixture(scope="module")
def means(blocked, quick):
    linear = LogisticRegression()
    # Meta-trained once, on some of the people: all that is wanted of it here is that it adapts.
    table, origin = blocked
    few = table["groups"] < 4
    trained = quick(support_weight=4.0).fit(table["X"][few], table["y"][few])
    adapting = FrozenEstimator(trained)
    estimators = {
        "linear": linear,
        "majority": MajorityControl(),
        "stimulus": StimulusPriorControl(),
        "time": NearestInTimeControl(),
        "shuffled": ShuffledLabels(linear, random_state=0),
        "population": PopulationOnly(linear),
        "adapting": adapting,
        "adapting, shuffled": ShuffledLabels(adapting, random_state=0),
    }
    protocol = FewShotProtocol(shots=(0, 4), draws=6, random_state=0, **origin)
    compared = compare_few_shot(estimators, **table, protocol=protocol, cv=2)
    scored = compared.rows[compared.rows["metric"] == "balanced_accuracy"]
    assert len(scored) == len(estimators) * 12 * 6 * 2
    table = compared.summary().pivot(index="estimator", columns="shots", values="mean")
    return table.to_dict("index")


class TestTogether:
    def test_the_majority_is_at_chance(self, means):
        assert means["majority"] == pytest.approx({0: CHANCE, 4: CHANCE})

    def test_the_stimulus_tells_what_most_people_report(self, means):
        # Nine of twelve people report what is meant, and nobody of the others ever does.
        assert means["stimulus"] == pytest.approx({0: 0.75, 4: 0.75})

    def test_time_tells_all_of_what_was_recorded_in_blocks(self, means):
        assert means["time"] == pytest.approx({0: CHANCE, 4: 1.0})

    def test_without_the_meaning_of_labels_nothing_is_learned(self, means):
        assert means["shuffled"][4] == pytest.approx(CHANCE, abs=0.12)
        assert means["adapting, shuffled"][4] == pytest.approx(CHANCE, abs=0.12)

    def test_the_population_says_nothing_of_an_own_way(self, means):
        assert means["population"][0] == means["population"][4]
        assert means["population"][0] == pytest.approx(CHANCE, abs=0.12)

    def test_classifiers_learn_the_person(self, means):
        assert means["linear"][4] > 0.75
        assert means["adapting"][4] > CHANCE + 0.2
        assert means["adapting"][0] == pytest.approx(CHANCE, abs=0.12)

    def test_controls_without_signals_are_above_the_classifier(self, means):
        assert means["time"][4] > means["linear"][4]


def test_one_at_a_time_too(blocked):
    table, origin = blocked
    protocol = FewShotProtocol(shots=4, draws=2, random_state=0, **origin)
    result = few_shot_score(NearestInTimeControl(), **table, protocol=protocol, cv=4)
    assert result.summary()["mean"].tolist() == [1.0]


def test_in_the_order_of_the_rows_where_no_times_are_given(blocked):
    """Blocks follow each other without a break, so that time tells much, but not all."""
    protocol = FewShotProtocol(shots=4, random_state=0)
    result = few_shot_score(NearestInTimeControl(), **blocked[0], protocol=protocol, cv=4)
    # Of a block of eight clips the first four are support, one is dropped and the last three are
    # asked: as far from their own as from the next block is the middle one, and the earlier wins.
    (score,) = result.summary()["mean"]
    of_block = np.mean([q - 3 <= 8 - q for q in (5, 6, 7)])  # the last block has no next
    by_hand = np.mean([of_block, of_block, 1.0])
    assert score == pytest.approx(by_hand)


def test_a_stimulus_prior_needs_contexts(blocked):
    with pytest.raises(ValueError, match="`contexts` is not given; expected the stimulus"):
        few_shot_score(
            StimulusPriorControl(), **blocked[0], protocol=FewShotProtocol(shots=1), cv=4
        )
