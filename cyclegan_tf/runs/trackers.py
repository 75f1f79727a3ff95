"""The losses, scores and sample grids of a run, for trackers of experiments: wandb and MLflow."""

import json
import os
import time
import warnings

import keras

from cyclegan_tf import files
from cyclegan_tf.choices import TRACKERS, check
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.runs.logs import finished_rows

_PROJECT = "cyclegan-tf"  # where the environment names none
_SECONDS_TO_FILE = 1.0
_PARAMETERS_AT_ONCE = 100  # that MLflow takes


def trackers(names, folder, options):
    """The callbacks that log a run to trackers; after all that write its `log.csv` and `samples/`.

    Args:
        names: of `cyclegan_tf.choices.TRACKERS`.
        folder: `RunFolder`.
        options: `RunOptions`, which trackers call the configuration.

    Raises:
        InputError: there is no such tracker.
        ImportError: its package is not installed.
    """
    for name in names:
        check("log", name, TRACKERS)
    services = {"wandb": Wandb, "mlflow": MLflow}
    return [TrackRun(name, services[name](), folder, options) for name in dict.fromkeys(names)]


class TrackRun(keras.callbacks.Callback):
    """Logs the finished epochs of `log.csv` that a tracker lacks, each once, with its samples.

    A run that resumes is the same run there: its name is kept in `trackers.json`, with the number
    of epochs that were logged. Where there was no connection, the next epoch logs what is missing.
    Epochs count from 1, as the files of samples do.

    Args:
        name: of the tracker.
        service: `Wandb` or `MLflow`.
        folder: `RunFolder`.
        options: `RunOptions`.
    """

    def __init__(self, name, service, folder, options):
        super().__init__()
        self.name = name
        self.service = service
        self.folder = folder
        self.options = options
        self._begun = self._failed = False

    def on_train_begin(self, logs=None):
        self._grid = None  # of the last epoch, and when it was written

    def on_epoch_begin(self, epoch, logs=None):
        if not self._begun:
            self._begin()

    def on_epoch_end(self, epoch, logs=None):
        self._log_rows(epoch + 1)

    def on_train_end(self, logs=None):
        rows = finished_rows(self.folder.log, self.params["epochs"])
        done = int(rows[-1]["epoch"]) + 1 if rows else 0
        if not self._begun and self._logged() < done:  # of a finished run
            self._begin()
        if not self._begun:
            return
        self._log_rows(done)
        # Weights that end with averages have their samples drawn again.
        if self._grid and _written(self._grid[0]) != self._grid[1]:
            self._tried(lambda: self.service.log(done, {}, self._grid[0], complete=True))
        self.close(finished=done == self.params["epochs"])

    def close(self, finished=False):
        """Ends the run in the tracker, if it goes on: `fit` does not say when it fails."""
        if self._begun:
            self._begun = False
            self._tried(lambda: self.service.end(finished))

    def _begin(self):
        run = self.service.begin(self._states().get(self.name, {}).get("run"), *self._described())
        self._keep(run=run)
        self._begun = True

    def _described(self):
        configuration = {"system": self.options.system, **self.options.values()}
        return self.folder.path.resolve().name, configuration

    def _log_rows(self, epochs):
        for row in finished_rows(self.folder.log, epochs):
            values = {name: float(value) for name, value in row.items() if value != "NA"}
            epoch = values["epoch"] = int(values["epoch"]) + 1
            if epoch > self._logged():
                self._tried(lambda: self._log_epoch(epoch, values))  # noqa: B023, called at once

    def _log_epoch(self, epoch, values):
        grid = self.folder.samples / f"epoch_{epoch:04d}.png"
        self._grid = (grid, _written(grid)) if grid.exists() else None
        complete = epoch < self.params["epochs"]  # of the last one the samples may be drawn again
        self.service.log(epoch, values, self._grid and grid, complete)
        self._keep(logged=epoch)

    def _tried(self, do):
        """Does what may need a connection, without which training goes on; says so once."""
        try:
            do()
        except Exception as error:  # each kind of connection has its own
            if not self._failed:
                warnings.warn(
                    f"{self.name} does not take what is logged, and training goes on without: "
                    f"{error}",
                    stacklevel=2,
                )
            self._failed = True

    def _logged(self):
        return self._states().get(self.name, {}).get("logged", 0)

    def _states(self):
        path = self.folder.trackers
        if not path.exists():
            return {}
        try:
            return dict(json.loads(path.read_text()))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{path} does not hold the runs of trackers ({error}); remove it to log to new "
                "ones."
            ) from error

    def _keep(self, **changed):
        states = self._states()
        states[self.name] = {**states.get(self.name, {}), **changed}
        files.write_text(self.folder.trackers, json.dumps(states, indent=2) + "\n")


class Wandb:
    """A run of Weights & Biases, whose environment variables say where: WANDB_MODE, ...

    Raises:
        ImportError: wandb is not installed.
    """

    def __init__(self):
        self._wandb = required("wandb", "wandb", "--log wandb needs")
        self._run = None

    def begin(self, run, name, configuration):
        """Begins a run, or goes on with one of this name; returns its name.

        Raises:
            InputError: wandb refuses it, as where nobody is logged in.
        """
        try:
            self._run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=os.environ.get("WANDB_NAME", name),
                id=run,
                resume="allow" if run else None,
                config=configuration,
                allow_val_change=True,
                reinit="create_new",  # leaves a run alone that a notebook has
                settings=self._settings(),
            )
        except Exception as error:  # its errors have no class in common
            raise InputError(
                f"wandb begins no run: {error} Log in with `wandb login`, or set "
                "WANDB_MODE=offline."
            ) from error
        return self._run.id

    def _settings(self):
        """Has its file written often: what is not there is lost if the process is killed.

        Older releases have no such setting.
        """
        flush = "x_transaction_log_flush_interval"
        return {flush: _SECONDS_TO_FILE} if flush in self._wandb.Settings.model_fields else {}

    def log(self, epoch, values, grid, complete):
        """Logs numbers by name and a file of samples, or `None`, of an epoch.

        What is `complete` gets no more. wandb sends it, or has it in its file after a second.
        """
        images = {"samples": self._wandb.Image(str(grid))} if grid else {}
        self._run.log({**values, **images}, step=epoch, commit=complete)

    def end(self, finished):
        """Ends the run; `finished` is whether all its epochs are done."""
        self._run.finish()


class MLflow:
    """A run of MLflow, whose environment variables say where: MLFLOW_TRACKING_URI, ...

    Raises:
        ImportError: mlflow is not installed.
    """

    def __init__(self):
        self._mlflow = required("mlflow", "mlflow", "--log mlflow needs")
        self._client = self._run = None

    def begin(self, run, name, configuration):
        """As that of `Wandb`.

        Raises:
            InputError: MLflow refuses it, as where there is no such store, or no such run in it.
        """
        try:
            self._client = self._mlflow.MlflowClient()
            if run is None:
                run = self._client.create_run(self._experiment(), run_name=name).info.run_id
                self._log_parameters(run, configuration)
            self._client.update_run(run, status="RUNNING")
            # Parameters never change there, and some options may.
            self._client.set_tag(run, "options", json.dumps(configuration))
        except self._mlflow.exceptions.MlflowException as error:
            raise InputError(
                f"MLflow begins no run in {self._mlflow.get_tracking_uri()}: {error} Set "
                "MLFLOW_TRACKING_URI to where the run is logged."
            ) from error
        self._run = run
        return run

    def _experiment(self):
        if identifier := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return identifier
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found else self._client.create_experiment(name)

    def _log_parameters(self, run, configuration):
        entities = self._mlflow.entities
        parameters = [entities.Param(name, str(value)) for name, value in configuration.items()]
        for first in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            self._client.log_batch(run, params=parameters[first : first + _PARAMETERS_AT_ONCE])

    def log(self, epoch, values, grid, complete):
        """As that of `Wandb`; it takes more at any time."""
        now = int(time.time() * 1000)
        metrics = [
            self._mlflow.entities.Metric(name, value, now, epoch) for name, value in values.items()
        ]
        # First, because the metrics of an epoch that is done in part are logged again with it.
        if grid:
            self._client.log_artifact(self._run, str(grid), "samples")
        if metrics:
            self._client.log_batch(self._run, metrics=metrics)

    def end(self, finished):
        """As that of `Wandb`."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


def _written(path):
    """When a file was written, in nanoseconds."""
    return path.stat().st_mtime_ns
