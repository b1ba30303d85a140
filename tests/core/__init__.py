"""Tests of the pure core: plain values in, plain values out."""
