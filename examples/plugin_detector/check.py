"""Does the detector keep the contract? The same lines belong into a package's own tests."""

import argparse

from facemotion import FaceDetector
from facemotion.images import read_image
from facemotion.testing import check_detector

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", help="one with a face in it")
    check_detector(FaceDetector("tiles"), read_image(parser.parse_args().photo))
    print("tiles keeps the contract")
