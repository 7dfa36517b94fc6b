"""The three commands on real E4 sessions, as exported."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import cut, read_annotations, read_e4

SESSIONS = Path(__file__).parents[2].parent / "shared" / "data" / "raw" / "empatica_e4"

pytestmark = pytest.mark.skipif(
    not SESSIONS.is_dir(), reason="the real E4 sessions (../shared/data/raw/empatica_e4) are absent"
)


@pytest.fixture
def sessions(home):
    """Three people to train on, and a table with the labels of all."""
    folder = home / "sessions"
    folder.mkdir()
    for name in ("S01", "S02", "S03"):
        (folder / f"{name}.zip").symlink_to(SESSIONS / f"{name}.zip")
    (folder / "annotations.csv").symlink_to(SESSIONS / "annotations.csv")
    return folder


def test_from_zips_to_a_timeline(home, run, sessions):
    how = "--window 30 --trim 20 --networks 0"
    said = run(f"train sessions sessions/annotations.csv {how} -o stress").out
    recordings = [read_e4(sessions / f"{name}.zip") for name in ("S01", "S02", "S03")]
    clips = cut(recordings, read_annotations(SESSIONS / "annotations.csv"), window=30, trim=20)
    assert f"{len(clips.target)} clips of 30 s, 3 people\n" in said
    assert "in annotations.csv but not in the folder: S04, " in said

    labels = read_annotations(SESSIONS / "annotations.csv")
    own = labels[labels["person"] == "S11"].drop_duplicates("label")
    middle = (own["start"] + own["end"]) / 2
    own.assign(start=middle - 15, end=middle + 15).to_csv(home / "few.csv", index=False)
    path = SESSIONS / "S11.zip"
    said = run(f"adapt stress {path} --labels few.csv --trim 0 -o S11").out
    assert "5 clips of 30 s, 1 person\n" in said

    run(f"timeline S11 {path} -o S11.csv")
    table = pd.read_csv(home / "S11.csv")
    session = read_e4(path)
    assert table["start"].iloc[0] == session.start
    np.testing.assert_allclose(np.diff(table["start"]), 30)
    assert len(table) == int(session.duration // 30)
    assert "signals     acc 3x960 @ 32 Hz, 1/64 g\n" in run("info S11").out
