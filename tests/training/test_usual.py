"""Variances without a person: against a dense Gaussian model of all other people's clips."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.population import PersonSums, summarise
from stf2m_sk.training.usual import left_out_variances, quantile_over_people


@pytest.mark.parametrize("person_variance", [0.0, 0.3, 5.0])
def test_variances_are_those_of_a_population_without_the_person(person_variance):
    generator = np.random.default_rng(0)
    people = np.repeat([0, 1, 2, 3], [5, 9, 1, 12])
    clips = generator.normal(size=(len(people), 6))
    directions = np.linalg.qr(generator.normal(size=(6, 6)))[0][:, :4]
    projected = torch.from_numpy(clips @ directions)
    labels = torch.from_numpy(np.eye(2)[np.arange(len(people)) % 2])
    sums = PersonSums.zeros(4, 4, 2)
    sums.add(projected, torch.from_numpy(people), labels)
    population = summarise(sums, torch.from_numpy(directions), person_variance)
    for person in range(4):
        own, others = people == person, people != person
        outside = (clips[own] ** 2).sum(1) - (
            clips[own] @ directions @ directions.T * clips[own]
        ).sum(1)
        found = left_out_variances(
            population, projected[torch.from_numpy(own)], torch.from_numpy(outside), person_variance
        )
        seen = clips[others] @ directions
        same = people[others][:, None] == people[others]
        covariance = seen @ seen.T + person_variance * same + np.eye(others.sum())
        cross = clips[own] @ directions @ seen.T
        explained = (cross @ np.linalg.inv(covariance) * cross).sum(1)
        expected = (clips[own] ** 2).sum(1) + person_variance - explained
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


VALUES = st.lists(
    st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=6), min_size=1, max_size=5
)


@settings(max_examples=100, deadline=None)
@given(values=VALUES, level=st.floats(0.05, 1.0))
def test_quantile_is_the_smallest_value_that_holds_enough(values, level):
    found = quantile_over_people(values, level)

    def share(bound):
        return np.mean([np.mean(np.array(own) <= bound) for own in values])

    assert share(found) >= level - 1e-8
    smaller = [value for own in values for value in own if value < found]
    assert not smaller or share(max(smaller)) < level + 1e-8
