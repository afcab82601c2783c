"""`python -m facesieve`: the command line."""


def main() -> None:
    """The command line."""
    # Worker processes of a build import this module again, and have no use for the command line.
    from facesieve.cli import main as run

    run()


if __name__ == "__main__":
    main()
