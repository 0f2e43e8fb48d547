"""A browser of a few lines, for a machine that has none: ``page_client.py JAR GET PATH``, ``JAR POST PATH key=value``.

Cookies are kept in the file JAR; a form's token is taken from the page first. Prints the status and the page.
"""

import re
import sys
from http.cookiejar import MozillaCookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

ADDRESS = "http://127.0.0.1:8737"


def main(jar: str, method: str, path: str, *fields: str) -> None:
    cookies = MozillaCookieJar(jar)
    if Path(jar).exists():
        cookies.load(ignore_discard=True)
    opener = build_opener(HTTPCookieProcessor(cookies))

    def ask(path: str, form: bytes | None = None) -> str:
        with opener.open(Request(ADDRESS + path, form, {"Accept": "text/html"}), timeout=20.0) as answer:
            return f"{answer.status}\n{answer.read().decode()}"

    form = None
    if method == "POST":
        token = re.search(r'name="csrf" (?:content|value)="([^"]+)"', ask("/"))
        assert token is not None
        form = urlencode([("csrf", token[1]), *(each.split("=", maxsplit=1) for each in fields)]).encode()
    print(ask(path, form))
    cookies.save(ignore_discard=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
