"""Lets ``python -m claimstance`` and ``accelerate launch -m claimstance`` work."""

from claimstance.cli import main

main()
