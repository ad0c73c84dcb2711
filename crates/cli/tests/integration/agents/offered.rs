//! Which tools are offered: none that changes unless it is allowed, and none that the server forbids.

use compartment_testkit::{TestRedis, run_test};
use serde_json::{Value, json};

use super::{Client, everything, fill, server};
use crate::program::run;

fn offered(client: &mut Client) -> Vec<String> {
    let tools = client.ask("tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap().clone();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    for tool in &tools {
        let hints = tool["annotations"].as_object().unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(hints[hint].is_boolean(), "{tool}");
        }
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
    }
    tools.iter().map(name).collect()
}

#[test]
#[ignore = "needs redis-server"]
fn without_being_allowed_nothing_that_changes_is_offered_or_done() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        fill(&server).await;
        let before = everything(&server).await;
        let mut client = Client::start(folder.path(), &server.url(), &[]);
        assert_eq!(offered(&mut client).len(), 11);
        for tool in [
            "cleanup_old_cache",
            "set_memory_limit",
            "migrate_keys",
            "flush_database",
            "retry_failed",
        ] {
            let answer = client.call(tool, json!({}));
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            assert!(answer.to_string().contains("--allow-changes"), "{answer}");
        }
        client.end();
        let tiers = ["--allow-changes", "--allow", "batches", "--allow", "cache"];
        let mut client = Client::start(folder.path(), &server.url(), &tiers);
        let tools = offered(&mut client);
        assert_eq!(tools.len(), 14);
        assert!(
            ["cleanup_old_cache", "flush_database", "retry_failed"]
                .iter()
                .all(|name| tools.iter().any(|tool| tool == name))
        );
        let durable = json!({"database": "broker", "yes_really": "broker"});
        let answer = client.call("flush_database", durable);
        assert!(answer.to_string().contains("tier"), "{answer}");
        client.end();
        assert_eq!(everything(&server).await, before);
        let wrong = run(folder.path(), &["mcp", "--allow", "cache"]);
        assert_eq!(wrong.code, 2, "{}", wrong.err);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn tools_that_the_servers_own_rules_forbid_are_not_offered() {
    run_test(async {
        let rules = "~* &* +@all -@admin -unlink -flushdb +acl|whoami +acl|dryrun +info";
        let server = TestRedis::builder().acl_user("anna", "secret-word", rules).start().await;
        let folder = tempfile::tempdir().unwrap();
        let url = server.url_with_user("anna", "secret-word");
        let mut client = Client::start(folder.path(), &url, &["--allow-changes"]);
        let tools = offered(&mut client);
        for name in ["flush_database", "cleanup_old_cache", "migrate_keys", "set_memory_limit"] {
            assert!(!tools.iter().any(|tool| tool == name), "{name} {tools:?}");
        }
        assert!(tools.iter().any(|tool| tool == "backup_database"));
        assert!(!client.answers.contains("secret-word"));
        client.end();
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_configuration_the_reports_and_the_pages_can_be_read() {
    run_test(async {
        let (server, folder) = (server().await, tempfile::tempdir().unwrap());
        let mut client = Client::start(folder.path(), &server.url(), &[]);
        let resources = client.ask("resources/list", json!({}));
        let resources = resources["result"]["resources"].as_array().unwrap().clone();
        assert_eq!(resources.len(), 13);
        for resource in &resources {
            let read = client.ask("resources/read", json!({"uri": resource["uri"]}));
            let text = read["result"]["contents"][0]["text"].as_str().unwrap();
            assert!(text.len() > 100, "{resource} {text}");
        }
        let configuration =
            client.ask("resources/read", json!({"uri": "compartment://configuration"}));
        let text = configuration["result"]["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains("***@") && !text.contains(super::PASSWORD), "{text}");
        let prompts = client.ask("prompts/list", json!({}));
        for prompt in prompts["result"]["prompts"].as_array().unwrap().clone() {
            let got = client.ask("prompts/get", json!({"name": prompt["name"]}));
            assert_eq!(got["result"]["messages"][0]["role"], "user", "{got}");
        }
        client.end();
    });
}
