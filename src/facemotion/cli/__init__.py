"""The command line: one file a command family, loaded only when its command is run."""
