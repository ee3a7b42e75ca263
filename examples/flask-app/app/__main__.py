"""Serves the application: `python3 -m app`. MODEL_PATH names the model's folder, PORT the port (8080)."""

import os
import signal
import sys

import waitress

from app.main import application
from app.web import LARGEST_FILE


def serve() -> None:
    # A container's first process ignores SIGTERM unless it asks for it, and would be killed after the grace
    # period. SystemExit lets waitress finish the requests it is working on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(
        application(),
        # All of IPv4: asking for IPv6 as well would stop the server where the kernel has none.
        listen=f"0.0.0.0:{os.environ.get('PORT', '8080')}",
        threads=4,
        max_request_body_size=LARGEST_FILE,
    )


if __name__ == "__main__":
    serve()
