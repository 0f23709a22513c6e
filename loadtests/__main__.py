"""`python -m loadtests`: measure."""

from loadtests.cli import main

if __name__ == "__main__":
    main()
