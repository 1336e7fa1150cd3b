"""`python -m lib`: the command line, see `lib.cli.main`."""

from lib.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m lib")
