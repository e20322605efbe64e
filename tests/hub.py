"""A local server that speaks as much of the Hugging Face hub's protocol as downloading one file takes."""

import hashlib
import http.server
import json
import pathlib
import threading
import urllib.parse


class Hub:
    """Serves one repository: its file list, and its files with the headers that huggingface_hub checks.

    `requests` lists the paths that were asked for.
    """

    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, repo_id, files):
        self.repo_id = repo_id
        self.files = {name: pathlib.Path(path).read_bytes() for name, path in files.items()}
        self.requests = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                hub.answer(self, with_body=False)

            def do_GET(self):
                hub.answer(self, with_body=True)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, with_body):
        path = urllib.parse.unquote(urllib.parse.urlsplit(handler.path).path)
        self.requests.append(f"{handler.command} {path}")
        status, headers, body = self.response(path, handler.headers.get("Range"))
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if with_body:
            handler.wfile.write(body)

    def response(self, path, wanted):
        if path == f"/api/models/{self.repo_id}":
            return self.as_json({"id": self.repo_id, "sha": self.COMMIT, "private": False, "gated": False,
                                 "siblings": [{"rfilename": name} for name in self.files]})
        if path.startswith(f"/api/models/{self.repo_id}/tree/"):
            return self.as_json([{"type": "file", "oid": self.etag(data), "size": len(data), "path": name}
                                 for name, data in self.files.items()])
        name = path.split("/", 5)[-1]
        if path.startswith(f"/{self.repo_id}/resolve/") and name in self.files:
            data = self.files[name]
            headers = {"ETag": f'"{self.etag(data)}"', "X-Repo-Commit": self.COMMIT, "Accept-Ranges": "bytes"}
            if wanted:
                start, end = (int(part) if part else len(data) - 1 for part in wanted.split("=")[1].split("-"))
                headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
                return 206, headers, data[start : end + 1]
            return 200, headers, data
        return 404, {"X-Error-Code": "EntryNotFound"}, b""

    @staticmethod
    def etag(data):
        return hashlib.sha1(data).hexdigest()

    @staticmethod
    def as_json(value):
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()
