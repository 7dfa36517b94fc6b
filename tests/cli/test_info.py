"""`info`: what a model is."""

import stf2m_sk


def test_says_what_the_model_is(run):
    assert run("info model").out.splitlines() == [
        f"written by  stf2m_sk {stf2m_sk.__version__}, 0 networks",
        "trained on  4 recordings of 4 people: ann, bob, cleo, eli",
        "emotions    calm, 32 training clips",
        "            joy, 32 training clips",
        "            rage, 32 training clips",
        "signals     eda 1x40 @ 4 Hz",
        "            pulse 1x40 @ 4 Hz",
        "clips       10 s, every 10 s, trim 0 s, lag 0 s",
        "CSV files   times in column 'time'",
    ]


def test_says_whom_it_knows(run):
    run("adapt model new/dan.csv --labels few.csv -o dan")
    assert run("info dan").out.splitlines()[-1] == (
        "adapted to  dan, 24 unlabelled clips; labelled: calm 2, joy 2, rage 2"
    )


def test_units(home, run):
    path = home / "model" / "settings.json"
    path.write_text(path.read_text().replace('"units": {}', '"units": {"eda": "uS"}'))
    assert "signals     eda 1x40 @ 4 Hz, uS\n" in run("info model").out


def test_a_file(refused):
    assert refused("info labels.csv") == (
        "labels.csv: there is no such folder; expected the folder that `train` or `adapt` wrote"
    )


def test_another_folder(refused):
    assert refused("info recordings") == (
        "recordings: is no model, since it lacks classifier.safetensors; expected the folder that "
        "`train` or `adapt` wrote"
    )
