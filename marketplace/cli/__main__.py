"""``python -m marketplace.cli``: the console without its script."""

from marketplace.cli.main import main

main()
