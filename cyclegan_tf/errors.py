"""The error for input that the user can correct."""


class InputError(ValueError):
    """Something given to `cyclegan_tf` cannot be used: a path, an image, an option.

    Its message is one sentence for the user: what was wrong, what was expected, what to do. The
    command line prints it and exits with status 2.
    """
