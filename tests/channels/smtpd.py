"""A mail server for the tests of `unship`, made of aiosmtpd.

    smtpd.py MODE CERT KEY USER PASSWORD

MODE is starttls, implicit or none. The first line of its output is the port; then comes a JSON object for each mail that it
took, and for each recipient that it was offered. What it does with a recipient is said by its name:
busy@ is refused once for now and then taken, nobody@ for good, full@ when the text has been sent, slow@ never gets an
answer after the text, drop@ gets the connection closed there.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**what):
    print(json.dumps(what), flush=True)


class Handler:
    def __init__(self):
        self.refused = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        say(rcpt=address)
        name = address.split("@")[0]
        if name == "nobody":
            return "550 5.1.1 no such user here"
        if name == "busy" and address not in self.refused:
            self.refused.add(address)
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        names = {address.split("@")[0] for address in envelope.rcpt_tos}
        if "full" in names:
            return "552 5.3.4 too big"
        if "drop" in names:
            server.transport.abort()
            return "250 OK"
        say(
            to=envelope.rcpt_tos,
            sender=envelope.mail_from,
            text=envelope.content.decode("latin-1"),
            tls=session.ssl is not None or mode == "implicit",
            user=session.login_data if isinstance(session.login_data, str) else None,
        )
        if "slow" in names:
            await asyncio.sleep(60)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    login, given = data.login.decode(), data.password.decode()
    good = login == user and given == password
    return AuthResult(success=good, handled=False, auth_data=login)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if mode != "none":
        context.load_cert_chain(cert, key)
    handler = Handler()

    def protocol():
        return SMTP(
            handler,
            hostname="mail.test",
            enable_SMTPUTF8=False,
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            authenticator=authenticate if user else None,
            auth_required=bool(user),
            auth_require_tls=mode == "starttls",
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context if mode == "implicit" else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


mode, cert, key, user, password = sys.argv[1:]
asyncio.run(main())
