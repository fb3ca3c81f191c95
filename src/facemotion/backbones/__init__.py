"""Networks: the contract, and one family a file, each behind the entry point of its name."""
