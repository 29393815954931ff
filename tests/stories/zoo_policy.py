"""An admission webhook of a policy that lets nothing pass, on loopback, for a real API server to ask."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from sandbox.kube.certificate import issue

END = b"-----END PRIVATE KEY-----\n"


@contextmanager
def denying(why: str) -> Iterator[tuple[str, str]]:
    """Its address, and the authority (as caBundle takes it) that signed its certificate."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            verdict = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": why}}
            body = json.dumps(
                {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": verdict}
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    certificate = issue("127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    bundle = base64.b64encode(certificate.path.read_bytes().partition(END)[2]).decode()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}/validate", bundle
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        certificate.remove()
