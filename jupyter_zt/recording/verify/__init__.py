"""Evidence verification."""
