#!/usr/bin/env python3
"""A real SMTP server for tests (aiosmtpd). It keeps mail instead of passing it on.

The first line on stdout is its port on 127.0.0.1. Each message it takes is one more line, a JSON
object as `describe` makes it, with the parts as Python's own mail parser reads them. It ends with
the process that started it.
"""

import argparse
import asyncio
import base64
import email
import email.policy
import itertools
import json
import logging
import os
import pathlib
import ssl
import sys
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".tools" / "mail"))

try:
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
except ImportError as error:
    sys.exit(f"aiosmtpd is missing ({error}): run `scripts/provision mail`")

# Seconds between two looks at whether the starter still lives.
PARENT_INTERVAL = 1


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0: any free one")
    parser.add_argument("--folder", type=pathlib.Path, help="also write each message as N.eml here")
    parser.add_argument("--refuse", action="append", default=[], metavar="ADDRESS", help="answer 550 to it, for good")
    parser.add_argument("--defer", action="append", default=[], metavar="ADDRESS", help="answer 451 to it, for now")
    parser.add_argument("--login", metavar="USER:PASSWORD", help="take mail only after this log-in")
    parser.add_argument("--tls", choices=["implicit", "starttls"], help="demand TLS; needs --cert and --key")
    parser.add_argument("--cert", help="certificate chain, PEM")
    parser.add_argument("--key", help="private key, PEM")
    return parser.parse_args()


def describe(envelope, session, transport):
    """A message and what the server knows about it."""
    message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    parts = []
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        text = part.get_content_maintype() == "text"
        parts.append(
            {
                "type": part.get_content_type(),
                "disposition": part.get_content_disposition(),
                "file_name": part.get_filename(),
                "content_id": part["Content-ID"],
                "text": part.get_content() if text else None,
                "base64": None if text else base64.b64encode(content).decode(),
            }
        )
    return {
        "envelope_from": envelope.mail_from,
        "envelope_to": envelope.rcpt_tos,
        "hello": session.host_name,
        "tls": transport.get_extra_info("ssl_object") is not None,
        "user": (session.auth_data.login.decode() if session.auth_data else None),
        "headers": [[name, str(value)] for name, value in message.items()],
        "structure": [part.get_content_type() for part in message.walk()],
        "parts": parts,
        "defects": [repr(defect) for part in message.walk() for defect in part.defects],
        "raw": envelope.original_content.decode("utf-8", "backslashreplace"),
    }


class Mailbox:
    """What aiosmtpd asks: which recipients, and where to put what arrives."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.numbers = itertools.count(1)

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.chosen.refuse:
            return "550 5.1.1 no such mailbox"
        if address in self.chosen.defer:
            return "451 4.2.1 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.chosen.folder:
            self.chosen.folder.mkdir(parents=True, exist_ok=True)
            (self.chosen.folder / f"{next(self.numbers)}.eml").write_bytes(envelope.original_content)
        print(json.dumps(describe(envelope, session, server.transport)), flush=True)
        return "250 OK"


def authenticator(login):
    user, _, password = login.partition(":")

    def check(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, handled=right, auth_data=data if right else None)

    return check


async def serve(chosen):
    context = None
    if chosen.tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chosen.cert, chosen.key)
    starttls = chosen.tls == "starttls"
    settings = {"hostname": "smtp.test"}
    if starttls:
        settings |= {"tls_context": context, "require_starttls": True}
    if chosen.login:
        settings |= {
            "authenticator": authenticator(chosen.login),
            "auth_required": True,
            "auth_require_tls": starttls,
        }
    mailbox = Mailbox(chosen)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, **settings),
        "127.0.0.1",
        chosen.port,
        ssl=context if chosen.tls == "implicit" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_INTERVAL)


if __name__ == "__main__":
    # Clients that hang up and log-ins without TLS are what some tests are about.
    logging.disable()
    warnings.simplefilter("ignore")
    try:
        asyncio.run(serve(options()))
    except KeyboardInterrupt:
        pass
