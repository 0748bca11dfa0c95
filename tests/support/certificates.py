"""Certificates for TLS servers of tests: a private authority and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Signed:
    """`file`: the certificate. `server`: the context of a server that has it."""

    file: Path
    server: ssl.SSLContext


class Authority:
    """A certificate authority that no machine trusts. `file`: its certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("An authority of tests")
        self.certificate = self._built(self._name, self._key, "", authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str = "127.0.0.1", *, days: int = 30) -> Signed:
        """A certificate for a host name or an IP address; an expired one if `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._built(_name(name), key, name, days=days)
        return self._saved(f"{name}-{days}", certificate, key)

    def self_signed(self, name: str = "127.0.0.1") -> Signed:
        """A certificate that is its own authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(_name(name), _name(name), key, key, name, 30, authority=False)
        return self._saved(f"self-{name}", certificate, key)

    def _built(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        host: str,
        *,
        days: int = 30,
        authority: bool = False,
    ) -> x509.Certificate:
        return _signed(subject, self._name, key, self._key, host, days, authority=authority)

    def _saved(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Signed:
        file, secret = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, secret)
        return Signed(file, context)


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
    host: str,
    days: int,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
    return builder.sign(signing, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
