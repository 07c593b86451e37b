"""The command line's sessions at a gateway."""
