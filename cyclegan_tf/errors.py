"""The errors that have a sentence for the user."""


class InputError(ValueError):
    """Something given to `cyclegan_tf` cannot be used: a path, an image, an option.

    Its message is one sentence for the user: what was wrong, what was expected, what to do. The
    command line prints it and exits with status 2.
    """


class DamagedError(InputError):
    """A file that was opened cannot be read to its end, and never will be."""


class TrainingDiverged(RuntimeError):
    """A loss is infinite or NaN. The command line prints the message and exits with status 3."""
