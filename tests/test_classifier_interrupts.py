"""Ctrl-C in `fit`: KeyboardInterrupt, and the classifier is as it was."""

import logging
import signal
import threading

import numpy as np
import pytest
from skorch.callbacks import Callback

import stf2m_sk

NETWORKS = {"n_networks": 2, "hidden_dim": 4, "max_epochs": 2}
STAGES = ["prototypes", "networks", "features", "numbers", "population"]


class PressAt(logging.Handler):
    """Presses Ctrl-C when the log says that a stage has ended."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def emit(self, record):
        if record.getMessage().startswith(self.stage):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    """As in a terminal: a process that a script starts in the background may ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def press_at():
    """A function that presses Ctrl-C at the end of a stage of `fit`."""
    log, handlers = logging.getLogger("stf2m_sk"), []
    level = log.level

    def press_at(stage):
        handlers.append(PressAt(stage))
        log.addHandler(handlers[-1])
        log.setLevel(logging.INFO)

    yield press_at
    log.setLevel(level)
    for handler in handlers:
        log.removeHandler(handler)


class TestLeavesTheClassifier:
    @pytest.mark.parametrize("stage", STAGES)
    def test_unfitted(self, quick, arrays, press_at, refuses, capsys, stage):
        press_at(stage)
        new = quick(verbose=2, **NETWORKS)
        refuses(new, KeyboardInterrupt, "^$", lambda: new.fit(arrays.X, arrays.y))
        assert not hasattr(new, "model_") and not hasattr(new, "n_features_in_")
        assert f"{stage} stopped by KeyboardInterrupt" in capsys.readouterr().err

    @pytest.mark.parametrize("stage", STAGES)
    def test_as_before(self, fitted_on_array, arrays, press_at, refuses, stage):
        press_at(stage)
        fitted_on_array.set_params(verbose=2, **NETWORKS)
        wider = np.concatenate([arrays.X, arrays.X], axis=1)
        refuses(
            fitted_on_array, KeyboardInterrupt, "^$", lambda: fitted_on_array.fit(wider, arrays.y)
        )

    def test_where_its_model_is_made(self, fitted_on_array, arrays, monkeypatch, refuses):
        def press(**parts):
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(stf2m_sk.classifier, "FittedModel", press)
        wider = np.concatenate([arrays.X, arrays.X], axis=1)
        refuses(
            fitted_on_array, KeyboardInterrupt, "^$", lambda: fitted_on_array.fit(wider, arrays.y)
        )


class TestInCallbacks:
    @pytest.mark.parametrize("hook", ["on_train_begin", "on_batch_end", "on_epoch_end"])
    def test_ctrl_c_ends_fit(self, quick, arrays, refuses, hook):
        def press(net, **kwargs):
            signal.raise_signal(signal.SIGINT)

        pressing = Callback()
        setattr(pressing, hook, press)
        new = quick(callbacks=[pressing], **NETWORKS)
        refuses(new, KeyboardInterrupt, "^$", lambda: new.fit(arrays.X, arrays.y))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_a_callback_ends_a_network_in_any_thread(self, quick, arrays):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise KeyboardInterrupt

        classifier = quick(callbacks=[Stop()], **NETWORKS)
        thread = threading.Thread(target=classifier.fit, args=(arrays.X, arrays.y))
        thread.start()
        thread.join()
        assert [len(epochs) for epochs in classifier.history_] == [1, 1]

    def test_goes_on_from_its_checkpoint(self, quick, arrays, tmp_path):
        pressed = []

        class Press(Callback):
            def on_train_begin(self, net, **kwargs):
                pressed.append(1)
                if len(pressed) == 2:
                    signal.raise_signal(signal.SIGINT)

        settings = {"callbacks": [Press()], **NETWORKS}
        classifier = quick(checkpoint=tmp_path / "fit", **settings)
        with pytest.raises(KeyboardInterrupt):
            classifier.fit(arrays.X, arrays.y)
        classifier.fit(arrays.X, arrays.y).save(tmp_path / "one")
        assert len(pressed) == 3
        quick(**settings).fit(arrays.X, arrays.y).save(tmp_path / "other")
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
