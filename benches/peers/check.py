"""Asks every peer for a hundred slugs and holds the answers against what the links say; exits 1 at the first difference.

check.py NAME URL SLUGS WHAT: WHAT is `map` (the slug's own destination) or `constant` (any https Location). A peer that
answers wrongly is fast: nothing is measured before this has passed.
"""

import http.client
import random
import ssl
import sys
from urllib.parse import urlsplit

from destination import destination

ASKED = 100


def main():
    name, url, file, what = sys.argv[1:5]
    with open(file, encoding="ascii") as lines:
        slugs = lines.read().split()
    asked = random.Random(1).sample(slugs, min(ASKED, len(slugs)))
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, context=ssl._create_unverified_context(), timeout=10)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    for slug in asked:
        connection.request("GET", f"/{slug}")
        answer = connection.getresponse()
        answer.read()
        location = answer.getheader("location") or ""
        wanted = destination(slug) if what == "map" else "https://"
        if answer.status != 302 or not location.startswith(wanted):
            sys.exit(f"{name}: /{slug} answered {answer.status} to {location!r}, not 302 to {wanted}")
    print(f"{name}: {len(asked)} of {len(asked)} right")


main()
