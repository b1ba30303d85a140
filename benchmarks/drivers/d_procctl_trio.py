"""procctl on trio."""

from drivers import d_procctl


class D(d_procctl.D):
    name = "procctl_trio"
    backend = "trio"
