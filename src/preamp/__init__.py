"""Preamp: AWS Amplify Hosting on your own machine."""

__version__ = "0.1.0"
