"""The files of a run, and those of its owner."""

from cyclegan_tf.runs.folder import RunFolder


def test_what_a_run_wrote_is_removed_and_nothing_else(tmp_path):
    folder = RunFolder(tmp_path)
    written = ("best", "evaluations", "log", "machine", "model", "options_file", "page", "plot")
    for name in written:
        getattr(folder, name).touch()
    folder.web.mkdir()
    (folder.web / "index.html").touch()
    (tmp_path / "notes.txt").touch()
    folder.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "web"]
    assert (folder.web / "index.html").exists()
