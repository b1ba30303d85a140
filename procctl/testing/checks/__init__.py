"""One module for each kind of promise; each check raises `BrokenPromise`."""
