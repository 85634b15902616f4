"""Certificates for the tests of TLS, made with the openssl command."""

import os
import ssl
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Certificates:
    """Files NAME.crt and NAME.key in a directory; authority() and issue() make them."""

    def __init__(self, directory):
        self.directory = str(directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def text(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def run(self, *words):
        done = subprocess.run(["openssl"] + list(words), cwd=self.directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        for name in os.listdir(self.directory):
            os.chmod(self.path(name), 0o644)  # the servers run as somebody else

    def authority(self, name):
        """One that signs itself."""
        self.run("req", "-x509", *KEY, "-keyout", name + ".key", "-out", name + ".crt", "-subj", "/CN=" + name,
                 "-days", "30")

    def issue(self, name, authority, names="IP:127.0.0.1", days=30):
        """One for these subjectAltNames; with days=0 it has expired when it is made (newer OpenSSL takes no less)."""
        self.run("req", *KEY, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        with open(self.path(name + ".ext"), "w") as file:
            file.write("subjectAltName=" + names)
        self.run("x509", "-req", "-in", name + ".csr", "-CA", authority + ".crt", "-CAkey", authority + ".key",
                 "-CAcreateserial", "-days", str(days), "-out", name + ".crt", "-extfile", name + ".ext")

    def join(self, *names):
        """The path of a file that holds all of these."""
        path = self.path("-".join(names))
        with open(path, "w") as file:
            file.write("".join(self.text(name) for name in names))
        return path

    def context(self, name, version=None, clients=None):
        """A server's, for the scripted node. clients: the authority of those that it lets in."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(name + ".crt"), self.path(name + ".key"))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path(clients + ".crt"))
        return context
