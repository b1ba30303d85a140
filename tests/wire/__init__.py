"""Tests of the protocol as frames: no connection is needed for any of them."""
