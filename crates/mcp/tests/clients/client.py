"""Drives `compartment mcp` by the official Python SDK, which checks each answer against the tool's output schema.

python client.py COMPARTMENT REDIS-URL    over standard input and output
python client.py --http URL [TOKEN]       over HTTP
"""

import asyncio
import re
import sys

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

HINTS = ("read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint")
READING = [
    ("list_databases", {}),
    ("database_stats", {"database": "cache"}),
    ("monitor_memory_usage", {"detailed": True}),
    ("analyze_keys", {"database": "cache"}),
    ("health_check", {}),
    ("doctor", {}),
    ("cache_stats", {}),
    ("batch_progress", {}),
    ("list_tasks", {}),
    ("explain_key", {"key": "page:1", "show_value": True}),
    ("plan_separation", {}),
]


def server(arguments):
    if arguments[0] == "--http":
        url, *token = arguments[1:]
        headers = {"Authorization": f"Bearer {token[0]}"} if token else {}
        return streamable_http_client(url, http_client=create_mcp_http_client(headers=headers))
    command, url = arguments
    flags = ["mcp", "--backend", url, "--allow-changes", "--ledger", "none"]
    return StdioServerParameters(command=command, args=flags)


async def call(client, name, arguments):
    result = await client.call_tool(name, arguments)
    assert not result.is_error, (name, result.content)
    return result.structured_content


async def main(arguments):
    async with Client(server(arguments)) as client:
        tools = (await client.list_tools()).tools
        for tool in tools:
            assert tool.output_schema["type"] == "object", tool.name
            for hint in HINTS:
                assert isinstance(getattr(tool.annotations, hint), bool), tool.name
        for name, given in READING:
            await call(client, name, given)
        if any(tool.name == "flush_database" for tool in tools):
            given = {"database": "cache", "pattern": "sdk:*"}
            plan = (await call(client, "flush_database", given))["plan"]
            assert re.fullmatch("plan_[0-9a-f]{32}", plan["plan_id"]), plan
            acting = {**given, "dry_run": False, "plan_id": plan["plan_id"]}
            done = (await call(client, "flush_database", acting))["done"]
            assert done["count"] == plan["count"], done
            assert (await client.call_tool("flush_database", acting)).is_error
        resources = (await client.list_resources()).resources
        for resource in resources:
            contents = (await client.read_resource(str(resource.uri))).contents
            assert contents[0].text, resource.uri
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            messages = (await client.get_prompt(prompt.name, {})).messages
            assert messages[0].role == "user", prompt.name
        print(f"{len(tools)} tools, {len(resources)} resources, {len(prompts)} prompts")


asyncio.run(main(sys.argv[1:]))
