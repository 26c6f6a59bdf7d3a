"""Writes a row every 10 ms through one connection, keeps a book of what was sent and acknowledged, reconnects by itself.

GET on port 8000 answers 200 while there is a connection, for the readiness probe (an exec each second would cost a core)."""
import http.server, json, os, signal, ssl, sys, threading, time, urllib.request, uuid

try:
    import psycopg2 as driver
except ImportError:
    import psycopg as driver

writes = os.environ["WRITES"] == "yes"
book = open(f"/ledger/{os.environ['HOSTNAME']}", "a", buffering=1)
stop = []
ready = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))


class Probe(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if ready.is_set() else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


threading.Thread(target=http.server.HTTPServer(("", 8000), Probe).serve_forever, daemon=True).start()


def note(what, token):
    book.write(f"{time.time_ns()} {what} {token}\n")


def work(connection):
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SELECT min(id) FROM accounts")
    account = cursor.fetchone()[0]
    ready.set()
    while not stop:
        if writes:
            token = str(uuid.uuid4())
            note("sent", token)
            cursor.execute("INSERT INTO statuses (account_id, text, token) VALUES (%s, 'e2e', %s)", (account, token))
            note("acked", token)
        else:
            cursor.execute("SELECT 1")
        time.sleep(0.01 if writes else 0.5)


def host():
    """As it was at the start, or with FOLLOW (a namespace) as the ConfigMap has it now."""
    if "FOLLOW" not in os.environ:
        return os.environ["DB_HOST"]
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    config = f"https://kubernetes.default.svc/api/v1/namespaces/{os.environ['FOLLOW']}/configmaps/mastodon-database"
    request = urllib.request.Request(config, headers={"Authorization": "Bearer " + open(f"{account}/token").read()})
    trusted = ssl.create_default_context(cafile=f"{account}/ca.crt")
    return json.load(urllib.request.urlopen(request, context=trusted, timeout=2))["data"]["DB_HOST"]


while not stop:
    try:
        work(driver.connect(
            host=host(), port=os.environ["DB_PORT"], user=os.environ["DB_USER"],
            password=os.environ["DB_PASS"], dbname="mastodon", sslmode="require", connect_timeout=2,
            application_name="lab-app"))
    except (driver.Error, OSError) as error:
        print(error, file=sys.stderr, flush=True)
        ready.clear()
        time.sleep(0.05)
