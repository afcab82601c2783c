"""`facesieve` and `python -m facesieve`: the command line, in processes of its own.

The worker processes of a build import this module again, before anything else.
"""

import atexit
import gc
import os
import sys

# At the end all goes anyway; looking through what was imported for what else could go takes a tenth of a second.
atexit.register(gc.freeze)
# NumPy's BLAS would start a thread a core in every process; nothing here multiplies matrices that are worth one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Arrow's allocator would start one that a fork loses; another allocator serves the tables here.
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
# Looking through all installed packages for plugins of pydantic takes a thirtieth of a second.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Python processes of ours find no modules in the folder that the user happens to be in.
os.environ.setdefault("PYTHONSAFEPATH", "1")


def main() -> None:
    """Run the command line."""
    _open_standard_streams()
    from facesieve.cli import main as run  # workers have no use for it

    run()


def _open_standard_streams() -> None:
    """Replace standard streams that were closed (`2>&-`) by the null device.

    Otherwise the next file or socket that is opened would become the stream, and messages would be written into it.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", closefd=False))


if __name__ == "__main__":
    main()
