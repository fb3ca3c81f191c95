"""`python -m facemotion`: the command line, also for torchrun."""

from facemotion.cli.main import main

main()
