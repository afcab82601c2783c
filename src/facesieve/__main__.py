"""`facesieve` and `python -m facesieve`: the command line, in processes of its own.

The worker processes of a build import this module again, before anything else.
"""

import atexit
import gc
import os

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
    from facesieve.stop import stoppable  # workers need none of these
    from facesieve.streams import safe_streams

    with safe_streams(), stoppable():
        from facesieve.cli import main as run

        run()


if __name__ == "__main__":
    main()
