"""Builds the package from this folder of the source tree: pip install ./libsnap/python."""
import os
import re
import shutil
from glob import glob

from setuptools import Extension, setup
from setuptools.command.sdist import sdist

here = os.path.dirname(os.path.abspath(__file__))
# An sdist has a copy of what it needs of the tree.
top = os.path.join(here, "tree" if os.path.exists(os.path.join(here, "tree")) else "../..")
with open(os.path.join(top, "libsnap/include/snap.h")) as header:
    version = re.search('SNAP_VERSION "(.*)"', header.read()).group(1)
folders = ["format", "libsnap/shared", "libsnap/core", "libsnap/python"]
sources = sorted(os.path.relpath(path, here) for folder in folders for path in glob(os.path.join(top, folder, "*.c")))
# What is built stays out of the sources: sources two folders up become objects two folders up.
base = os.path.join(top, "build", "pip", "package", "base")
os.makedirs(base, exist_ok=True)


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, [path for path in files if not path.startswith("..")])
        for folder in folders + ["libsnap/include", "libsnap/sample"]:
            into = os.path.join(base_dir, "tree", folder)
            os.makedirs(into, exist_ok=True)
            for path in glob(os.path.join(top, folder, "*.[ch]")):
                shutil.copy(path, into)


setup(
    options={"build": {"build_base": base}, "egg_info": {"egg_base": base}},
    cmdclass={"sdist": SourceDistribution},
    name="snap",
    version=version,
    description="Heap snapshots of CPython processes",
    packages=["snap"],
    package_data={"snap": ["py.typed", "*.pyi"]},
    python_requires=">=3.8",
    entry_points={"pytest11": ["snap = snap.pytest_plugin"]},
    ext_modules=[Extension(
        "snap._snap", sources,
        include_dirs=[os.path.join(top, folder) for folder in ("libsnap/include", "libsnap/sample", "libsnap/shared", "libsnap/core", "format")],
        define_macros=[("_GNU_SOURCE", None), ("_FILE_OFFSET_BITS", "64")],
        extra_compile_args=["-std=c11", "-fvisibility=hidden"],
        libraries=["zstd"])],
)
