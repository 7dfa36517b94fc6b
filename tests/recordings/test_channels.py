from datetime import datetime

import pytest

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._channels import grouped_channels, start_of

LABELS, RATES = ["C3", "C4", "EMG", "EMG"], [256.0, 256.0, 512.0, 512.0]


def test_each_channel_is_a_signal_unless_grouped():
    assert grouped_channels("a", LABELS, RATES, None) == {
        "C3": [0],
        "C4": [1],
        "EMG": [2],
        "EMG 2": [3],
    }
    assert grouped_channels("a", LABELS, RATES, {"eeg": ["C4", "C3"]}) == {"eeg": [1, 0]}


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ({"eeg": ["Cz"]}, "a.edf: expected one channel named 'Cz', there are 0; channels are C3"),
        ({"emg": ["EMG"]}, "expected one channel named 'EMG', there are 2"),
        ({"eeg": []}, "channels of signal 'eeg' must have one rate, they have"),
    ],
)
def test_wrong_groups_are_refused(signals, message):
    with pytest.raises(RecordingError, match=message):
        grouped_channels("a.edf", LABELS, RATES, signals)


def test_channels_of_one_signal_must_have_one_rate():
    with pytest.raises(RecordingError, match=r"must have one rate, they have .*256 Hz.*512 Hz"):
        grouped_channels("a.edf", ["C3", "EMG"], [256.0, 512.0], {"both": ["C3", "EMG"]})


def test_a_local_time_needs_its_zone():
    local = datetime(2022, 7, 1, 12)
    utc = (local - datetime(1970, 1, 1)).total_seconds()
    assert start_of(local, None) == start_of(None, None) == 0
    assert start_of(local, "UTC") == utc
    assert start_of(local, "Europe/Dublin") == utc - 3600  # summer time
    with pytest.raises(ValueError, match="there is no time zone 'Dublin'"):
        start_of(local, "Dublin")
    with pytest.raises(ValueError, match="does not say when it was recorded"):
        start_of(None, "UTC")
