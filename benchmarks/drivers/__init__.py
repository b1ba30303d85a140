"""One module for each system that is compared, `d_NAME` with a class `D`; see `drivers.base`."""
