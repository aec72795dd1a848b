"""rivus: watch outside sources and push every item they find through stages."""

__version__ = "0.1.0"
