"""A gateway's client outside of a browser: the command line's and headless kernels' login."""
