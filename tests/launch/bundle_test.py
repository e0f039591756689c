#!/usr/bin/env python3
"""bundle_test.py DUET: what launch/bundle.sh packs of the build folder that DUET lies in needs nothing else on another machine."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv.pop()).parent
OF_THE_TARGET = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|anl))\.so\.\d+")


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        out = pathlib.Path(cls.folder.name) / "duet.tar.gz"
        subprocess.run([ROOT / "launch/bundle.sh", "--build", BUILD, "--out", out], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "-C", cls.folder.name, "-xzf", out], check=True)
        cls.bundle = pathlib.Path(cls.folder.name) / "duet"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_each_library_finds_those_that_it_needs(self):
        held = {path.name for path in (self.bundle / "lib").iterdir()}
        for name in sorted(held):
            said = subprocess.run(["readelf", "-d", self.bundle / "lib" / name], check=True, capture_output=True, text=True).stdout
            needed = {one for one in re.findall(r"\(NEEDED\).*\[(.*)\]", said) if not OF_THE_TARGET.fullmatch(one)}
            self.assertEqual(needed - held, set(), f"lib/{name} of the bundle needs these, and the bundle does not hold them")

    def test_it_says_its_licence(self):
        for name in ("LICENSE", "NOTICE"):
            self.assertEqual((self.bundle / name).read_bytes(), (ROOT / name).read_bytes())


if __name__ == "__main__":
    unittest.main()
