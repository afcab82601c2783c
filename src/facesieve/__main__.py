"""`facesieve` and `python -m facesieve`: the command line, in processes of its own.

The worker processes of a build import this module again, before anything else.
"""

import os

# NumPy's BLAS would start a thread a core in every process; nothing here multiplies matrices that are worth one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Run the command line."""
    from facesieve.cli import main as run  # workers have no use for it

    run()


if __name__ == "__main__":
    main()
