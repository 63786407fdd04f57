"""Drive one MCP server with the official Python SDK and say what was seen.

    python_sdk.py --url URL [--bearer TOKEN] [options] list
    python_sdk.py --url URL [--bearer TOKEN] [options] call NAME [ARGUMENTS_AS_JSON]
    python_sdk.py [options] list -- COMMAND [ARGUMENT ...]

Every line on stdout is one JSON document. While the client runs there may be

    {"event": "elicitation", "url": ..., "message": ..., "elicitation_id": ...}
    {"event": "notification", "method": ..., "params": ...}

and the last line is always `{"event": "finished", ...}` with everything observed: the negotiated version, the tools, or
the result, or the JSON-RPC error with its data, or the failure below JSON-RPC. After an elicitation event that
is going to be accepted, the client waits for one line on stdin: meanwhile somebody can use the link.

Exit status: 0 when the server answered (a JSON-RPC error is an answer), 1 when it did not.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import mcp.client.session
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

URL_ELICITATION_REQUIRED = -32042
"""A link is needed first. Only the revision 2025-11-25 has this error."""


def parse_arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Split off the server's command after `--` and read the rest."""
    command: list[str] = []
    if "--" in argv:
        at = argv.index("--")
        argv, command = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the endpoint, over HTTP")
    parser.add_argument("--transport", choices=["http", "sse"], default="http", help="streamable HTTP or HTTP+SSE")
    parser.add_argument("--bearer", help="the access token")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="a further header")
    parser.add_argument(
        "--era",
        default="modern",
        help="modern (server/discover), legacy (initialize with the newest revision that has it), legacy-2025-06-18",
    )
    parser.add_argument("--on-link", choices=["accept", "decline", "cancel", "none"], default="none")
    parser.add_argument("--timeout", type=float, default=60, help="seconds that one request may take")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list")
    call = actions.add_parser("call")
    call.add_argument("tool")
    call.add_argument("arguments", nargs="?", type=json.loads, default={})
    arguments = parser.parse_args(argv)
    if bool(arguments.url) == bool(command):
        parser.error("name either --url or, after --, a command")
    return arguments, command


def say(document: dict[str, Any]) -> None:
    """One line on stdout, at once."""
    print(json.dumps(document), flush=True)


def wire(model: Any) -> Any:
    """A message of the SDK as it stands on the wire."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


class Person:
    """Whoever is asked to open links."""

    def __init__(self, on_link: str) -> None:
        self.on_link = on_link
        self.links: list[dict[str, Any]] = []

    async def shown(self, url: str, message: str, elicitation_id: str | None) -> str:
        """Is shown a link; answers with the action of the elicitation."""
        link = {"url": url, "message": message, "elicitation_id": elicitation_id}
        self.links.append(link)
        say({"event": "elicitation"} | link)
        if self.on_link == "accept":
            line = await anyio.to_thread.run_sync(sys.stdin.readline)
            return "accept" if line else "cancel"
        return self.on_link

    async def elicited(self, _context: Any, params: Any) -> Any:
        """Answers an elicitation, as the SDK wants it. Forms are always declined: no form should ever come."""
        if not isinstance(params, types.ElicitRequestURLParams):
            say({"event": "form", "params": wire(params)})
            return types.ElicitResult(action="decline")
        action = await self.shown(params.url, params.message, params.elicitation_id)
        return types.ElicitResult(action=action)


def transport(arguments: argparse.Namespace, command: list[str]) -> Any:
    """The way to the server. Neither proxies nor a reduced environment change what it sees."""
    if command:
        return StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    headers = dict(header.split(":", 1) for header in arguments.header)
    if arguments.bearer:
        headers["Authorization"] = f"Bearer {arguments.bearer}"
    if arguments.transport == "sse":
        return sse_client(arguments.url, headers=headers, timeout=arguments.timeout)
    http = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(arguments.timeout), trust_env=False)
    return streamable_http_client(arguments.url, http_client=http)


def mode(era: str) -> str:
    """How the SDK is to negotiate. It offers the newest handshake revision only, unless told otherwise here."""
    if era == "modern":
        return "auto"
    if era.startswith("legacy-"):
        mcp.client.session.LATEST_HANDSHAKE_VERSION = era.removeprefix("legacy-")
    return "legacy"


async def list_tools(client: Client) -> list[Any]:
    """All pages of the tool list."""
    tools: list[Any] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += [wire(tool) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return tools


async def call_tool(client: Client, arguments: argparse.Namespace, person: Person, seen: dict[str, Any]) -> Any:
    """Calls the tool. A person who accepts the links of error -32042 uses them, and the call is made once more."""
    try:
        return wire(await client.call_tool(arguments.tool, arguments.arguments))
    except MCPError as error:
        links = (error.data or {}).get("elicitations", []) if error.code == URL_ELICITATION_REQUIRED else []
        if not links or person.on_link == "none":
            raise
        seen["link_error"] = wire(error.error)
        actions = [await person.shown(link["url"], link["message"], link.get("elicitationId")) for link in links]
        if set(actions) != {"accept"}:
            raise
    return wire(await client.call_tool(arguments.tool, arguments.arguments))


async def observe(arguments: argparse.Namespace, command: list[str], seen: dict[str, Any]) -> None:
    """Connects, acts, and writes down what happens."""
    person = Person(arguments.on_link)
    seen["elicitations"] = person.links
    seen["notifications"] = []

    async def notified(message: Any) -> None:
        if not isinstance(message, Exception):
            seen["notifications"].append(wire(message))
            say({"event": "notification"} | wire(message))

    client = Client(
        transport(arguments, command),
        mode=mode(arguments.era),
        elicitation_callback=None if arguments.on_link == "none" else person.elicited,
        message_handler=notified,
        client_info=types.Implementation(name="attache-test-client", version="1"),
        read_timeout_seconds=arguments.timeout,
    )
    async with client:
        seen["protocol_version"] = client.protocol_version
        seen["server"] = client.server_info and wire(client.server_info)
        seen["capabilities"] = wire(client.server_capabilities)
        seen["instructions"] = client.instructions
        if arguments.action == "list":
            seen["tools"] = await list_tools(client)
        else:
            seen["result"] = await call_tool(client, arguments, person, seen)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside groups of errors."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def write_down(error: BaseException, seen: dict[str, Any]) -> int:
    """Puts the error into the document; returns the exit status."""
    for leaf in leaves(error):
        if isinstance(leaf, MCPError):
            seen["error"] = wire(leaf.error)
            return 0
    seen["failure"] = [{"type": type(leaf).__name__, "message": str(leaf)} for leaf in leaves(error)]
    return 1


def main() -> int:
    """The program."""
    arguments, command = parse_arguments(sys.argv[1:])
    seen: dict[str, Any] = {}
    status = 0
    try:
        anyio.run(observe, arguments, command, seen)
    except Exception as error:  # The document is the report: nothing may get past it.
        status = write_down(error, seen)
    say({"event": "finished"} | seen)
    return status


if __name__ == "__main__":
    sys.exit(main())
