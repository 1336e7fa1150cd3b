"""`python -m lib`: the command line, see `lib.cli`."""

from lib.cli import main

if __name__ == "__main__":
    main(prog_name="python -m lib")
