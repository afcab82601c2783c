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
    _in_utf8()
    from facesieve.stop import stoppable  # workers need none of these
    from facesieve.streams import safe_streams

    with safe_streams(), stoppable():
        from facesieve.cli import main as run

        run()


def _in_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale holds ASCII alone: names on disk are UTF-8 all the same.

    Else labels would be escapes, and folders of labels could not be made. A running Python cannot change its mode.
    """
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    main()
