"""The entry point of `facesieve` and `python -m facesieve`.

The worker processes of a build import this module too, before anything else.
"""

import atexit
import gc
import os
import sys

# At exit the process ends anyway; a last garbage collection over all imported modules would take 0.1 s.
atexit.register(gc.freeze)
# NumPy's BLAS would start one thread per core in every process; no matrix here is large enough to need them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Arrow's allocator would start a thread, which does not survive a fork.
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
# Searching all installed packages for pydantic plugins takes 0.03 s.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
# Child processes must not import modules from the user's current folder.
os.environ.setdefault("PYTHONSAFEPATH", "1")


def main() -> None:
    """Run the command line. A signal that ends it is one line on stderr, even while modules are imported."""
    try:
        _in_utf8()
        _run()
    except KeyboardInterrupt:  # Ctrl-C before `stoppable` has begun
        print("stopped", file=sys.stderr)
        sys.exit(130)


def _run() -> None:
    import facesieve.processes.without_pandas  # noqa: F401
    from facesieve.errors import is_about_memory
    from facesieve.stop import Stopped, stoppable  # workers do not need these
    from facesieve.streams import safe_streams

    with safe_streams():
        try:
            with stoppable():
                from facesieve.cli import main as run

                run()
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            raise
        except Exception as error:
            if not is_about_memory(error):
                raise
            print("error: There is not enough memory to run FaceSieve. [out_of_memory]", file=sys.stderr)
            sys.exit(2)


def _in_utf8() -> None:
    """Restart in Python's UTF-8 mode if the locale is ASCII, because file names are UTF-8 there too.

    Otherwise labels would contain escapes, and folders named after labels could not be created. A running Python cannot
    change its mode.
    """
    if sys.getfilesystemencoding() == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    main()
