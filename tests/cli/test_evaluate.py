"""`evaluate`: the table is that of `compare_few_shot`."""

import io
import re
from contextlib import redirect_stdout

import numpy as np
import pytest

from stf2m_sk import STF2MClassifier
from stf2m_sk.cli import _evaluate, main
from stf2m_sk.model_selection import FewShotProtocol, NearestInTimeControl, compare_few_shot
from stf2m_sk.recordings import cut, read_annotations, read_csv

EVALUATE = "evaluate recordings labels.csv --window 10 --networks 0"


@pytest.fixture(scope="module")
def said(_home):
    """What one run prints."""
    command = EVALUATE.split()
    command[1:3] = [str(_home / name) for name in command[1:3]]
    out = io.StringIO()
    with redirect_stdout(out):
        main([*command, "--shots", "2", "0"])
    return out.getvalue()


@pytest.fixture(scope="module")
def comparison(_home):
    """The same without the command line."""
    recordings = [
        read_csv(path, time="time", person=path.stem)
        for path in sorted((_home / "recordings").glob("*.csv"))
    ]
    clips = cut(recordings, read_annotations(_home / "labels.csv"), window=10)
    small = STF2MClassifier(n_networks=0, n_kernels=30, n_patterns=8, random_state=0)
    return compare_few_shot(
        {"STF2M": small, "nearest in time": NearestInTimeControl()},
        clips.views,
        clips.target,
        groups=clips.groups,
        protocol=FewShotProtocol(
            shots=(0, 2), times=clips.times[:, 0], gap=20, on_few="shrink", random_state=0
        ),
    )


def cells(said, name):
    """Means and intervals of a row; None for a dash."""
    line = next(line for line in said.splitlines() if line.startswith(name + "  "))
    found = re.findall(r"(–)|(\S+) \[(\S+), (\S+)\]", line)
    return [None if dash else tuple(map(float, numbers)) for dash, *numbers in found]


@pytest.mark.parametrize("name", ["STF2M", "nearest in time"])
def test_table_is_the_comparison(said, comparison, name):
    expected = {
        row.shots: (row.mean, row.low, row.high)
        for row in comparison.summary().itertuples(index=False)
        if row.estimator == name
    }
    zero, two = cells(said, name)
    assert two == pytest.approx(expected[2], abs=0.0051)
    assert zero == (pytest.approx(expected[0], abs=0.0051) if name == "STF2M" else None)


def test_says_how_far_above_nearest_in_time(said):
    mean, control = cells(said, "STF2M + unlabelled"), cells(said, "nearest in time")
    line = re.search(r"^  2 labelled: (\S+) \[(\S+), (\S+)\]$", said, flags=re.MULTILINE)
    assert float(line[1]) == pytest.approx(mean[1][0] - control[1][0], abs=0.0151)
    assert float(line[2]) <= float(line[1]) <= float(line[3])
    assert "  0 labelled" not in said


def test_says_what_the_numbers_are(said):
    assert "Balanced accuracy on 4 people, each new once, mean [95 % interval]" in said
    assert "96 clips of 10 s, 4 people\n" in said
    assert "nearest in time     No signal at all" in said


def test_recordings_of_a_person_that_begin_at_zero_follow_each_other(
    home, refused, table, monkeypatch
):
    rows = [line.split(",") for line in (home / "labels.csv").read_text().splitlines()[1:]]
    person = {"ann": "A", "bob": "A", "cleo": "C", "eli": "E"}
    columns = ["recording", "person", "start", "end", "label"]
    table(home / "labels.csv", columns, [(row[0], person[row[0]], *row[1:]) for row in rows])

    def asked(*_, groups, protocol):
        own, gap = np.sort(protocol.times[groups == "A"]), protocol.gap
        raise ValueError(f"{len(own)} clips, {np.unique(np.diff(own))} s apart, gap {gap:g} s")

    monkeypatch.setattr(_evaluate, "compare_few_shot", asked)
    assert refused(f"{EVALUATE} --shots 1") == "48 clips, [10.] s apart, gap 20 s"


def test_too_few_people(home, refused):
    lines = (home / "labels.csv").read_text().splitlines(keepends=True)
    kept = [lines[0], *(line for line in lines if line.startswith("ann"))]
    (home / "labels.csv").write_text("".join(kept))
    assert "there are 1 people, but 2 folds of new people need 2" in refused(
        f"{EVALUATE} --shots 1"
    )


def test_shots(refused):
    assert refused(f"{EVALUATE} --shots -1").startswith("argument --shots: expected")
