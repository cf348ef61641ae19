"""`python -m preamp`: the same as the command `preamp`."""

from preamp.cli.main import main

if __name__ == "__main__":
    main()
