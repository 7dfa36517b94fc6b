"""The package reaches for no network: not on import, nor while it learns, predicts or loads."""

import subprocess
import sys
import textwrap

import pytest

# Looking up a name, connecting and sending each have an event in Python's audit. Programs that are
# started are left out: NumPy starts one on import that describes the processor.
LISTEN = """
    import sys
    heard = []
    REACHING = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.")
    sys.addaudithook(lambda event, _: heard.append(event) if event.startswith(REACHING) else None)
"""
EVERYTHING = """
    import importlib, pkgutil

    import stf2m_sk
    from stf2m_sk import STF2MClassifier, load
    from stf2m_sk.datasets import load_stress, make_emotion_views

    for module in pkgutil.walk_packages(stf2m_sk.__path__, "stf2m_sk."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    load_stress()
    data = make_emotion_views(n_people=3, n_clips_per_emotion=3, n_emotions=2, random_state=0)
    classifier = STF2MClassifier(
        n_networks=2, n_kernels=8, n_patterns=8, hidden_dim=8, max_epochs=1, random_state=0
    ).fit(data.views, data.target, groups=data.groups)
    adapted = classifier.adapt(data.views[:4], data.target[:4])
    adapted.save(sys.argv[1])
    load(sys.argv[1]).predict_proba(data.views)
"""


def events(code, *arguments):
    """What the audit hears of the network while a process of its own runs some code."""
    code = "\n".join(map(textwrap.dedent, (LISTEN, code, "print(*heard)")))
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_nothing_is_asked_of_the_network(tmp_path):
    assert events(EVERYTHING, str(tmp_path / "model.safetensors")) == []


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import socket; socket.getaddrinfo('localhost', 9)", "socket.getaddrinfo"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "socket.connect"),
        ("import socket; socket.socket(type=2).sendto(b'', ('127.0.0.1', 9))", "socket.sendto"),
    ],
)
def test_the_audit_would_hear_it(code, event):
    assert event in events(code)
