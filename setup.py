"""What pyproject.toml cannot say: scenes/ and meshes/ travel inside the installed package.

So do the files that the web app and the pages of `fieldlr page` are made of.
"""

from setuptools import find_packages, setup

EXAMPLES = {"fieldlr.examples_data.scenes": "scenes", "fieldlr.examples_data.meshes": "meshes"}

setup(
    packages=[*find_packages(include=["fieldlr", "fieldlr.*"]), *EXAMPLES],
    package_dir=EXAMPLES,
    package_data={name: ["*", "**/*"] for name in EXAMPLES}
    | {"fieldlr": ["py.typed"], "fieldlr.app": ["static/**/*"], "fieldlr.export": ["static/*"]},
    exclude_package_data={name: ["__pycache__/*", "**/__pycache__/*"] for name in EXAMPLES},
)
