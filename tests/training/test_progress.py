"""Progress of a fit: one bar to the end, why it stopped, seconds of the stages."""

import logging
import re

import pytest
from skorch.callbacks import Callback

from stf2m_sk.training.progress import Progress

NETWORKS = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 2}
STAGES = ["prototypes", "networks", "features", "numbers", "population"]


class Halt(Callback):
    def on_batch_begin(self, net, **kwargs):
        raise RuntimeError("halted")


def percents(said):
    return [int(number) for number in re.findall(r"(\d+)%", said)]


def bars(said):
    """The bar each time that it was drawn; there is one if it ends with one line break."""
    assert said.count("\n") == 1 and said.endswith("\n")
    return [drawn for drawn in said.strip("\n").split("\r") if drawn.strip()]


class TestBar:
    @pytest.mark.parametrize("networks", [{}, NETWORKS])
    def test_one_over_all_stages_ends_at_the_end(self, quick, arrays, capsys, networks):
        quick(verbose=1, **networks).fit(arrays.X, arrays.y)
        said = capsys.readouterr()
        drawn = bars(said.err)
        assert said.out == ""
        assert percents(said.err) == sorted(percents(said.err))
        assert drawn[-1].startswith("fitted: 100%")
        shown = [text.split(":")[0] for text in drawn]
        expected = [name for name in STAGES if networks or name != "networks"]
        assert list(dict.fromkeys(shown)) == [*expected, "fitted"]
        assert ("network 2 of 2, loss" in said.err) == bool(networks)

    def test_fewer_people_than_networks(self, quick, arrays, capsys):
        many = NETWORKS | {"n_networks": 5}
        quick(verbose=1, **many).fit(arrays.X, arrays.y, groups=[0, 1] * 12)
        said = capsys.readouterr().err
        assert "network 2 of 2" in said and bars(said)[-1].startswith("fitted: 100%")

    def test_says_why_it_stopped(self, quick, arrays, capsys):
        with pytest.raises(RuntimeError, match="halted"):
            quick(verbose=1, callbacks=[Halt()], **NETWORKS).fit(arrays.X, arrays.y)
        last = bars(capsys.readouterr().err)[-1]
        assert last.startswith("networks stopped by RuntimeError:") and "100%" not in last

    def test_says_nothing_unless_asked(self, quick, arrays, capsys, caplog):
        caplog.set_level(logging.INFO)
        quick(**NETWORKS).fit(arrays.X, arrays.y)
        said = capsys.readouterr()
        assert said.out == said.err == "" and not caplog.records

    def test_moves_within_a_stage(self, capsys):
        with Progress({"a": 1, "b": 3}, 1) as progress:
            with progress.stage("a"):
                pass
            with progress.stage("b"):
                progress.move(0.5, "half")
        said = capsys.readouterr().err
        assert percents(said)[0] == 0 and percents(said)[-1] == 100
        assert re.search(r"b:  62%.*half", said)


class TestLog:
    def test_seconds_of_each_stage(self, quick, arrays, caplog):
        caplog.set_level(logging.INFO, logger="stf2m_sk")
        quick(verbose=2, **NETWORKS).fit(arrays.X, arrays.y)
        assert {(record.name, record.levelname) for record in caplog.records} == {
            ("stf2m_sk", "INFO")
        }
        said = [re.fullmatch(r"(\w+) took \d+\.\d\d s", text)[1] for text in caplog.messages]
        assert said == STAGES

    def test_not_at_verbose_1(self, quick, arrays, caplog):
        caplog.set_level(logging.INFO, logger="stf2m_sk")
        quick(verbose=1).fit(arrays.X, arrays.y)
        assert not caplog.records
