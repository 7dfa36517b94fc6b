"""Saving where a disk is full or a folder is locked: an OSError, and the old file is whole."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stf2m_sk

# A process may write files of at most so many bytes, as on a disk with as many left.
LIMITED = """
import resource, sys
import stf2m_sk
classifier = stf2m_sk.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    classifier.save(sys.argv[1])
except OSError as error:
    print(error.errno, error.filename)
"""


def files_beside(path):
    return sorted(file.name for file in path.parent.iterdir())


class TestFullDisk:
    @pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are of POSIX")
    @pytest.mark.parametrize("n_bytes", [0, 5000])
    def test_a_process_that_may_not_write_more(self, saved, n_bytes):
        before = saved.read_bytes()
        assert len(before) > n_bytes
        folder = str(Path(stf2m_sk.__file__).parents[1])
        command = [sys.executable, "-W", "ignore", "-c", LIMITED, str(saved), str(n_bytes)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == (f"{errno.EFBIG} {saved}\n", "")
        assert saved.read_bytes() == before
        assert files_beside(saved) == [saved.name]

    @pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    def test_at_any_step(self, fitted, saved, monkeypatch, step, code):
        def fail(*args):
            raise OSError(code, os.strerror(code))

        before = saved.read_bytes()
        monkeypatch.setattr(step, fail)
        with pytest.raises(OSError, match=f"{os.strerror(code)}: '{saved}'") as raised:
            fitted.save(saved)
        monkeypatch.undo()
        assert raised.value.errno == code
        assert saved.read_bytes() == before
        assert files_beside(saved) == [saved.name]


class TestLockedFolder:
    def test_is_said_by_the_path_that_was_given(self, fitted, locked_folder):
        with pytest.raises(PermissionError, match=f"Permission denied: '{locked_folder}/model'"):
            fitted.save(locked_folder / "model")
        assert list(locked_folder.iterdir()) == []

    def test_below_a_file(self, fitted, saved):
        with pytest.raises(FileNotFoundError, match=f"There is no folder '{saved}'"):
            fitted.save(saved / "model")
