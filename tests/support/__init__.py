"""Helpers of the integration and browser tests."""
