"""`python -m facesieve`: the command line."""

from facesieve.cli import main

if __name__ == "__main__":
    main()
