"""Model files: every damage is refused, nothing is torn, nothing is left behind."""

import json
import os
import pickle
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save as serialise

import stf2m_sk
from stf2m_sk import ModelFileError, model_file

DESCRIPTION = {"version": 1, "name": 'with "quotes" and \\ and ü', "list": [1, 2.5, None]}
TENSORS = {"a": torch.arange(40.0), "b": torch.zeros(3, 2, dtype=torch.float16)}
TRAP = {"name": '"stf2m_sk":"{\\"sha256\\":\\"' + "0" * 64}  # looks like the checksum itself


def same(found, description=DESCRIPTION):
    read, tensors = found
    return read == description and all(torch.equal(tensors[k], v) for k, v in TENSORS.items())


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model"
    model_file.write(path, DESCRIPTION, TENSORS)
    return path


class TestWholeFile:
    def test_comes_back(self, path):
        assert same(model_file.read(path))

    def test_the_same_content_is_the_same_bytes(self, path, tmp_path):
        for i in range(6):
            model_file.write(tmp_path / f"{i}", DESCRIPTION, TENSORS)
            assert (tmp_path / f"{i}").read_bytes() == path.read_bytes()

    def test_a_text_that_looks_like_the_checksum(self, tmp_path):
        model_file.write(tmp_path / "model", TRAP, TENSORS)
        assert same(model_file.read(tmp_path / "model"), TRAP)

    def test_mode_and_links_are_kept(self, path, tmp_path):
        path.chmod(0o640)
        link = tmp_path / "link"
        link.symlink_to(path)
        model_file.write(link, TRAP, TENSORS)
        assert link.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert same(model_file.read(path), TRAP)

    def test_a_new_file_follows_the_umask(self, tmp_path):
        before = os.umask(0o027)
        try:
            model_file.write(tmp_path / "new", DESCRIPTION, TENSORS)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


class TestDamage:
    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_one_bit(self, path, data):
        content = path.read_bytes()
        place = data.draw(st.integers(0, 8 * len(content) - 1))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        self.is_refused(path, bytes(flipped))

    @settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_bytes_lost_doubled_or_added(self, path, data):
        content = path.read_bytes()
        first = data.draw(st.integers(0, len(content) - 1))
        last = data.draw(st.integers(first + 1, len(content)))
        more = data.draw(st.sampled_from([b"", content[first:last] * 2, b"\0", b"more"]))
        damaged = content[:first] + more + content[last:]
        if damaged != content:
            self.is_refused(path, damaged)

    @pytest.mark.parametrize("size", [2**63, 2**64 - 1, 2**40, 0, 2])
    def test_a_header_of_any_length(self, path, size):
        content = path.read_bytes()
        self.is_refused(path, struct.pack("<Q", size) + content[8:])

    @pytest.mark.parametrize(
        "text",
        ["[" * 100_000, "{" * 40 + "}" * 40, '{"a":' * 5000 + "1" + "}" * 5000, "null", "[]", '"a'],
        ids=["open", "deep", "deeper", "null", "list", "text"],
    )
    def test_a_header_that_is_no_description(self, path, text):
        content = text.encode()
        self.is_refused(path, struct.pack("<Q", len(content)) + content)

    def test_no_checksum(self, path):
        content = serialise(TENSORS, metadata={"stf2m_sk": json.dumps(DESCRIPTION)})
        self.is_refused(path, content, "checksum is not where it was written")

    def is_refused(self, path, content, message=None):
        other = path.with_name("other")
        other.write_bytes(content)
        with pytest.raises(ModelFileError, match=message) as error:
            model_file.read(other)
        assert str(error.value).startswith(repr(str(other)))


class TestValues:
    """Files whose checksum fits: every value is looked at."""

    @pytest.fixture
    def saved(self, fitted, people, tmp_path):
        path = tmp_path / "person"
        person = fitted.adapt(
            people.new_views[:3], people.new_target[:3], unlabelled=people.new_views
        )
        person.save(path)
        return path

    def refuses(self, path, change):
        description, tensors = model_file.read(path)
        change(description, tensors)
        model_file.write(path, description, tensors)
        with pytest.raises(ModelFileError, match="is damaged") as error:
            stf2m_sk.load(path)
        assert repr(str(path)) in str(error.value)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_every_tensor_is_finite(self, saved, value):
        whole = saved.read_bytes()
        for name in model_file.read(saved)[1]:
            saved.write_bytes(whole)
            self.refuses(saved, lambda d, t, name=name: t[name].view(-1)[-1:].fill_(value))

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d["sizes"].update(n_kernels=10**12),
            lambda d: d["sizes"].update(n_patterns=10**12),
            lambda d: d["sizes"].update(n_taps=10**12),
            lambda d: d["sizes"].update(n_timesteps=[10**30, 8]),
            lambda d: d["sizes"].update(n_channels=[10**12, 1]),
            lambda d: d.update(networks=10**9, hidden_dim=10**6),
            lambda d: d["numbers"].update(temperature=float("nan")),
            lambda d: d["numbers"].update(person_variance=-1.0),
            lambda d: d.update(support_weight=0.0),
            lambda d: d.update(person_clips=0),
            lambda d: d["params"].update(n_kernels=-1),
            lambda d: d["params"].update(precision="none"),
            lambda d: d["classes"]["values"].reverse(),
            lambda d: d["support"]["values"].reverse(),
            lambda d: d["priors"].update(log_odds=[float("inf")] * 3),
            lambda d: d.update(history=[[{"epoch": "one"}]]),
        ],
    )
    def test_of_the_description(self, saved, change):
        self.refuses(saved, lambda description, _: change(description))

    def test_shares_of_the_support(self, saved):
        self.refuses(saved, lambda _, tensors: tensors["support.shares"].mul_(2))

    def test_threads_are_a_matter_of_the_machine(self, quick, people, tmp_path):
        quick(n_threads=1).fit(people.views, people.target).save(tmp_path / "model")
        assert stf2m_sk.load(tmp_path / "model").n_threads is None


class TestAtOnce:
    def test_threads_write_one_path_while_another_reads(self, tmp_path):
        path, n_errors, done = tmp_path / "model", [], threading.Event()
        model_file.write(path, {"version": -1}, TENSORS)

        def write(own):
            try:
                for i in range(25):
                    model_file.write(path, {"version": own, "i": i}, TENSORS)
            except Exception as error:
                n_errors.append(error)

        def read():
            while not done.is_set():
                description, tensors = model_file.read(path)
                assert same((description, tensors), description)

        writers = [threading.Thread(target=write, args=(own,)) for own in range(4)]
        reader = threading.Thread(target=lambda: _noting(read, n_errors))
        for thread in (*writers, reader):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        reader.join()
        assert n_errors == []
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"]

    @pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
    def test_a_killed_writer_leaves_the_old_or_the_new_file(self, path):
        script = (
            "import itertools, sys, torch\n"
            "from stf2m_sk import model_file\n"
            "print('ready', flush=True)\n"
            "for i in itertools.count():\n"
            "    model_file.write(sys.argv[1], {'i': i}, {'a': torch.full((200_000,), i)})\n"
        )
        command = [sys.executable, "-c", script, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(0.03)
            writer.send_signal(signal.SIGKILL)
        description, tensors = model_file.read(path)
        if "i" in description:
            assert (tensors["a"] == description["i"]).all()
        model_file.write(path, DESCRIPTION, TENSORS)
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]

    def test_a_draft_that_is_being_written_is_left_alone(self, path, monkeypatch):
        replace, seen = os.replace, []

        def meanwhile(draft, target):
            if not seen:
                seen.append(draft)
                model_file.write(path, TRAP, TENSORS)
                assert os.path.exists(draft)
            replace(draft, target)

        monkeypatch.setattr(os, "replace", meanwhile)
        model_file.write(path, DESCRIPTION, TENSORS)
        assert same(model_file.read(path))


def _noting(function, errors):
    try:
        function()
    except Exception as error:
        errors.append(error)


def test_nothing_is_written_into_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        model_file.write(tmp_path / "none" / "model", DESCRIPTION, TENSORS)


def test_an_error_comes_out_of_a_worker(tmp_path):
    (tmp_path / "model").write_text("no model")
    with pytest.raises(ModelFileError) as raised:
        model_file.read(tmp_path / "model")
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is ModelFileError
    assert str(again) == str(raised.value)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        model_file.read(tmp_path / "model")
