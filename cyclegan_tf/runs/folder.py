"""The folder of a run: the names of its files, its lock, its options and its state."""

import contextlib
import pathlib
import shutil
import zipfile

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.options import OPTIONS_FILE, options_of
from cyclegan_tf.training.checkpoints import newest_state


class RunFolder:
    """The files of a run. Nobody else spells their names.

    Args:
        path: of the folder, which need not exist yet.
    """

    def __init__(self, path):
        self.path = path = pathlib.Path(path)
        self.options_file = path / OPTIONS_FILE
        self.model = path / "model.keras"
        self.checkpoints = path / "checkpoints"
        self.epochs = path / "epochs"  # networks of some epochs
        self.samples = path / "samples"
        self.log = path / "log.csv"
        self.tensorboard = path / "logs"
        self.plot = path / "losses.png"
        self.page = path / "index.html"
        self.evaluation = path / "evaluation"  # scores of the model
        self.web = path / "web"  # where `export --web` may have written a page that translates
        self.evaluations = path / "evaluations.json"  # scores of epochs
        self.best = path / "best.keras"  # the model of the best epoch
        self.trackers = path / "trackers.json"  # the run's names in trackers of experiments
        self.machine = path / "machine.json"  # what trained it, and for how long

    def model_of(self, path):
        """Which of the run's models a file is: `"last"`, `"best"`, or the number of its epoch.

        `None` if it is none of them.
        """
        path = pathlib.Path(path).absolute()
        known = {self.model.absolute(): "last", self.best.absolute(): "best"}
        number = path.stem.removeprefix("epoch_")
        if path.parent == self.epochs.absolute() and number.isdecimal():
            return int(number)
        return known.get(path)

    def options(self):
        """The `RunOptions` of the run that the folder holds; `None` if it holds none."""
        return options_of(self.path)

    def check(self, restart=False):
        """Checks that the folder is new, empty or a run's: nothing is removed without being asked.

        Raises:
            InputError: it holds something else, or a run that cannot resume.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file; expected a folder to write the run to.")
        if self.options_file.exists():
            if self.model.exists() and not self.checkpoints.exists() and not restart:
                raise InputError(
                    f"{self.path} holds a run without checkpoints, which cannot resume; choose "
                    "another folder, or --restart to start over."
                )
            return
        found = [path for path in self.path.glob("*") if not path.name.startswith(".")]
        if found:
            raise InputError(
                f"{self.path} holds {min(found).name!r} and no run; choose a folder that is new or "
                "empty."
            )

    @contextlib.contextmanager
    def claimed(self):
        """Locks the folder; removes it again if it was created for a run that never started.

        The state must be read inside: another process may write until it releases the lock.
        """
        new = not self.path.exists()
        alone = (
            f"Another process is training in {self.path}; wait for it, or choose another folder."
        )
        with files.locked(self.path, alone):
            try:
                yield
            finally:
                if new and [path.name for path in self.path.iterdir()] == [".lock"]:
                    shutil.rmtree(self.path)

    def state(self):
        """The newest checkpoint, as `newest_state` returns it.

        Raises:
            InputError: all checkpoints are damaged.
        """
        try:
            return newest_state(self.checkpoints)
        except InputError as error:
            if not _is_intact(self.model):
                raise
            raise InputError(
                f"{error} {self.model} is intact, of the last finished epoch; copy it before "
                "--restart, to translate with it and to export it."
            ) from error

    def prepare(self, options, state):
        """Leaves what belongs to the checkpoint to resume from, if any, and writes the options."""
        if state is None:
            self.remove()
        files.remove_unfinished(self.path, self.samples, self.checkpoints)
        self.checkpoints.mkdir(exist_ok=True)  # distinguishes this run from one that had none
        files.write_text(self.options_file, options.as_json())

    def remove(self):
        """Removes what a run writes, and nothing else."""
        for folder in (self.samples, self.tensorboard, self.checkpoints, self.epochs):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in self.path.glob(f"{self.evaluation.name}*"):
            if (folder / "scores.json").exists():  # else it is somebody's
                shutil.rmtree(folder, ignore_errors=True)
        for file in (
            self.log,
            self.model,
            self.best,
            self.evaluations,
            self.trackers,
            self.machine,
            self.plot,
            self.page,
            self.options_file,  # last, because it tells a run from other files
        ):
            file.unlink(missing_ok=True)


def run_of(path):
    """The `RunFolder` that is at a path, or that a file is in; `None` if there is none.

    Args:
        path: of the folder of a run, or of a model such as `best.keras` or one in `epochs/`.
    """
    path = pathlib.Path(path).absolute()
    places = (path,) if path.is_dir() else (path.parent, path.parent.parent)
    return next((RunFolder(place) for place in places if (place / OPTIONS_FILE).exists()), None)


def _is_intact(model):
    try:
        with zipfile.ZipFile(model) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
