"""A reader of Miniflux: logs in, makes a category every 20 ms and subscribes to a feed now and then, through its HTTP API.

Keeps a book of what Miniflux acknowledged. Serves the feeds itself. `reader.py audit` prints, as JSON, what is lost or
there twice, how much was acknowledged, when last (nanoseconds), and the longest gap between two acknowledgements after
the time that is given."""
import base64, http.server, json, os, sys, threading, time, urllib.error, urllib.request, uuid

BOOK = "/tmp/book"
LOGIN = "Basic " + base64.b64encode(f"reader:{os.environ['PASSWORD']}".encode()).decode()


def ask(method, path, body=None):
    request = urllib.request.Request("http://miniflux:8080/v1/" + path, method=method)
    request.add_header("Authorization", LOGIN)
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(request, data, timeout=10) as answer:
        return json.load(answer)


class Feeds(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        item = f"<item><title>{self.path}</title><link>http://reader:8000{self.path}</link><guid>{self.path}</guid></item>"
        feed = f"<rss version='2.0'><channel><title>{self.path}</title><link>http://reader:8000</link>{item}</channel></rss>"
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.end_headers()
        self.wfile.write(feed.encode())

    def log_message(self, *_):
        pass


def read():
    threading.Thread(target=http.server.ThreadingHTTPServer(("", 8000), Feeds).serve_forever, daemon=True).start()
    book, turn = open(BOOK, "a", buffering=1), 0
    while True:
        token, turn = str(uuid.uuid4()), turn + 1
        try:
            if turn % 100 == 1:
                assert ask("GET", "me")["username"] == "reader"
                feed = f"http://reader:8000/{token}"
                ask("POST", "feeds", {"feed_url": feed, "category_id": ask("GET", "categories")[0]["id"]})
                book.write(f"{time.time_ns()} feed {feed}\n")
            else:
                ask("POST", "categories", {"title": token})
                book.write(f"{time.time_ns()} category {token}\n")
        except (OSError, urllib.error.HTTPError, ValueError) as error:
            print(error, flush=True)
        time.sleep(0.02)


def audit(since):
    acknowledged = [line.split() for line in open(BOOK) if line.endswith("\n")]
    there = [category["title"] for category in ask("GET", "categories")]
    there += [feed["feed_url"] for feed in ask("GET", "feeds")]
    known = set(there)
    times = [int(at) for at, *_ in acknowledged if int(at) >= since]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    print(json.dumps({
        "lost": [what for _, _, what in acknowledged if what not in known],
        "twice": len(there) - len(known),
        "categories": sum(kind == "category" for _, kind, _ in acknowledged),
        "feeds": sum(kind == "feed" for _, kind, _ in acknowledged),
        "last": times[-1] if times else since,
        "gap": max(gaps, default=0),
    }))


if sys.argv[1:2] == ["audit"]:
    audit(int(sys.argv[2]))
else:
    read()
