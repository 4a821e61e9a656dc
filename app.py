"""Opens the web app: python app.py, then http://127.0.0.1:7860. All flags of `fieldlr app` work."""

import sys

from fieldlr.__main__ import main

if __name__ == "__main__":
    main(["app", *sys.argv[1:]])
