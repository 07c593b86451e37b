"""The command line as a client of a gateway: its person's login, and a session of its own."""
