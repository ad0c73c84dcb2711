// Drives `compartment mcp` by the official TypeScript SDK, which checks each answer against the tool's output schema.
// node client.mjs COMPARTMENT REDIS-URL            over standard input and output
// node client.mjs --http URL [TOKEN]               over HTTP
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [first, second, third] = process.argv.slice(2);
const isHttp = first === "--http";
const transport = isHttp
  ? new StreamableHTTPClientTransport(new URL(second), {
      requestInit: third ? { headers: { Authorization: `Bearer ${third}` } } : {},
    })
  : new StdioClientTransport({
      command: first,
      args: ["mcp", "--backend", second, "--allow-changes", "--ledger", "none"],
      stderr: "ignore",
    });
const client = new Client({ name: "sdk-test", version: "1.0.0" });
await client.connect(transport);
assert.equal(client.getServerVersion().name, "compartment");

const { tools } = await client.listTools();
for (const tool of tools) {
  assert.equal(tool.outputSchema.type, "object", tool.name);
  for (const hint of ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]) {
    assert.equal(typeof tool.annotations[hint], "boolean", tool.name);
  }
}
const call = async (name, args = {}) => {
  const result = await client.callTool({ name, arguments: args });
  assert.notEqual(result.isError, true, `${name}: ${JSON.stringify(result.content)}`);
  return result.structuredContent;
};
for (const [name, args] of [
  ["list_databases"],
  ["database_stats", { database: "cache" }],
  ["monitor_memory_usage", { detailed: true }],
  ["analyze_keys", { database: "cache" }],
  ["health_check"],
  ["doctor"],
  ["cache_stats"],
  ["batch_progress"],
  ["list_tasks"],
  ["explain_key", { key: "page:1", show_value: true }],
  ["plan_separation"],
]) {
  await call(name, args);
}
if (tools.some((tool) => tool.name === "flush_database")) {
  const args = { database: "cache", pattern: "sdk:*" };
  const { plan } = await call("flush_database", args);
  assert.match(plan.plan_id, /^plan_[0-9a-f]{32}$/);
  const { done } = await call("flush_database", { ...args, dry_run: false, plan_id: plan.plan_id });
  assert.equal(done.count, plan.count);
  const again = await client.callTool({
    name: "flush_database",
    arguments: { ...args, dry_run: false, plan_id: plan.plan_id },
  });
  assert.equal(again.isError, true);
}
const { resources } = await client.listResources();
for (const { uri } of resources) {
  const { contents } = await client.readResource({ uri });
  assert.ok(contents[0].text.length > 0, uri);
}
const { prompts } = await client.listPrompts();
for (const { name } of prompts) {
  const { messages } = await client.getPrompt({ name, arguments: {} });
  assert.equal(messages[0].role, "user", name);
}
await client.close();
console.log(`${tools.length} tools, ${resources.length} resources, ${prompts.length} prompts`);
