"""From recordings of sensors, voice, video and text to clips, and back to a timeline."""

from stf2m_sk.recordings._audio import read_wav
from stf2m_sk.recordings._csv import read_annotations, read_csv
from stf2m_sk.recordings._cut import cut
from stf2m_sk.recordings._dataframe import from_dataframe
from stf2m_sk.recordings._e4 import read_e4
from stf2m_sk.recordings._edf import read_edf
from stf2m_sk.recordings._errors import RecordingError, RecordingWarning
from stf2m_sk.recordings._extract import extract
from stf2m_sk.recordings._faces import face, motion, video
from stf2m_sk.recordings._labels import quadrant
from stf2m_sk.recordings._mne import from_mne
from stf2m_sk.recordings._predict import predict_timeline
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._stream import StreamPredictor, StreamResult
from stf2m_sk.recordings._subtitles import read_subtitles
from stf2m_sk.recordings._timeline import Timeline
from stf2m_sk.recordings._video import read_video
from stf2m_sk.recordings._voice import log_mel, prosody, voice
from stf2m_sk.recordings._wfdb import read_wfdb
from stf2m_sk.recordings._words import words
from stf2m_sk.recordings._xdf import read_xdf

__all__ = [
    "Recording",
    "RecordingError",
    "RecordingWarning",
    "Signal",
    "StreamPredictor",
    "StreamResult",
    "Timeline",
    "cut",
    "extract",
    "face",
    "from_dataframe",
    "from_mne",
    "log_mel",
    "motion",
    "predict_timeline",
    "prosody",
    "quadrant",
    "read_annotations",
    "read_csv",
    "read_e4",
    "read_edf",
    "read_subtitles",
    "read_video",
    "read_wav",
    "read_wfdb",
    "read_xdf",
    "video",
    "voice",
    "words",
]
