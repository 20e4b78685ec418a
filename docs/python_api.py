"""Writes the API documentation of the Python package into a folder."""

import importlib
import os
import sys
from pathlib import Path

import opencomputer_usage as package
import pdoc
import pdoc.render

# The modules of the classes of `client.usage`, `client.tags` and `client.sandboxes`, which users never import.
RESOURCES = ("_usage", "_resources", "_async_usage", "_async_resources")

names = [package.__name__]
for name in RESOURCES:
    module = importlib.import_module(f"{package.__name__}.{name}")
    module.__all__ = [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    ]
    names.append(module.__name__)

# Members of pages are declared in classes that only the compiled module has.
exported = [getattr(package, name) for name in package.__all__]
bases = {base for one in exported if isinstance(one, type) for base in one.__mro__}
for base in sorted(bases - set(exported), key=lambda base: base.__name__):
    if base.__module__ == package.__name__:
        setattr(package, base.__name__, base)
        package.__all__.append(base.__name__)

site = os.environ.get("DOCS_BASE", "/")
icon = f"{site}icon.svg"
styles = Path(__file__).with_name("pdoc")
pdoc.render.configure(docformat="google", favicon=icon, logo=icon, logo_link=site, template_directory=styles)
pdoc.pdoc(*names, output_directory=Path(sys.argv[1]))
