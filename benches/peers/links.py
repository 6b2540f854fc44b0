"""Writes the links that every peer of benches/peers/run serves: the same slugs and destinations in each one's own form.

links.py DIR LINKS RIVALS: DIR/slugs.txt has all LINKS slugs, DIR/slugs-rivals.txt the first RIVALS of them, which
stand in DIR/nginx.map and, for HAProxy and Caddy, DIR/links.map; DIR/links.csv has all of them for `hopcart import`.
Slugs are lower case and digits, for plain strings in nginx's map match in any letter case and could not tell base62 slugs apart.
"""

import random
import sys

from destination import destination

SEED = 20261121
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def main():
    directory, links, rivals = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(SEED)
    slugs = {}
    while len(slugs) < links:
        slugs["".join(chance.choices(LETTERS, k=7))] = None
    slugs = list(slugs)

    def write(name, lines):
        with open(f"{directory}/{name}", "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)

    write("slugs.txt", slugs)
    write("slugs-rivals.txt", slugs[:rivals])
    write("nginx.map", (f"/{slug} {destination(slug)};" for slug in slugs[:rivals]))
    write("links.map", (f"/{slug} {destination(slug)}" for slug in slugs[:rivals]))
    rows = (f"{slug},{destination(slug)},true" for slug in slugs)
    write("links.csv", ["key,url,trackConversion", *rows])


main()
