"""Where what has to be known after a program's end is kept: see `procctl.abc.Store`."""
