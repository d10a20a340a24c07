"""TLS as connections configure it: the certificate authorities that are public or trusted by the host, a private one beside
them, or no check at all."""

import asyncio
import ssl

import httpx

from runyard_agent.actions.base import InvalidParams


async def tls_context(ca_certificate: str | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """`ca_certificate`: PEM, one or several. Raises `InvalidParams` if it is none. Off the loop: reading the public
    authorities takes tens of milliseconds."""
    return await asyncio.to_thread(_context, ca_certificate, verify)


def _context(ca_certificate: str | None, verify: bool) -> ssl.SSLContext:
    context = httpx.create_ssl_context(verify=verify)
    if verify:
        context.load_default_certs()
    if verify and ca_certificate is not None:
        try:
            context.load_verify_locations(cadata=ca_certificate)
        except (ssl.SSLError, ValueError):
            raise InvalidParams("the connection's caCertificate is no certificate in PEM format") from None
    return context


def untrusted(error: BaseException) -> str | None:
    """What is wrong with the other end's certificate, if that is what went wrong."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return None
