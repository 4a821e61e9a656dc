"""What pyproject.toml cannot say: scenes/ and meshes/ travel inside the installed package."""

from setuptools import find_packages, setup

EXAMPLES = ("scenes", "meshes")

setup(
    packages=[
        *find_packages(include=["fieldlr", "fieldlr.*"]),
        *(f"fieldlr.{folder}" for folder in EXAMPLES),
    ],
    package_dir={f"fieldlr.{folder}": folder for folder in EXAMPLES},
    package_data={f"fieldlr.{folder}": ["*", "**/*"] for folder in EXAMPLES},
)
