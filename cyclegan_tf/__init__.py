"""Image-to-image translation in Keras 3 on TensorFlow 2."""

import importlib.util
import os
import signal
import sys

__version__ = "0.1.0"


def _is_command_line():
    """Whether this process is `cyclegan-tf` or `python -m cyclegan_tf`."""
    program = sys.argv[0] if sys.argv else ""
    if program == "-m":  # as long as Python looks for the module, which only orig_argv names
        module = sys.orig_argv[-len(sys.argv) :][0]
        return module in ("cyclegan_tf", "cyclegan_tf.commands.main")
    return os.path.basename(program) in ("cyclegan-tf", "cyclegan-tf.exe")


# Importing the package registers its classes with Keras, so that `keras.saving.load_model` knows
# them: Python gets everything at once. The command line would wait for TensorFlow before it could
# print its help; there a name is imported when it is first asked for.
if _is_command_line():
    # Before `main` answers Ctrl-C, and after it, the process ends without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __getattr__(name):
        if importlib.util.find_spec(f"{__name__}.{name}"):
            return importlib.import_module(f"{__name__}.{name}")
        return getattr(importlib.import_module(f"{__name__}.api"), name)

else:
    from cyclegan_tf.quiet_start import import_tensorflow

    import_tensorflow()
    from cyclegan_tf.api import *
