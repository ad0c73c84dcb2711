//! Agents over HTTP at `/mcp`: behind the same guard as everything else.

use compartment_operations::changes::{Allowed, ChangeOptions};
use compartment_server::Token;
use compartment_testkit::run_test;
use serde_json::{Value, json};

use crate::http::{Answer, Running, TOKEN};

async fn call(server: &Running, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut all = vec![
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2025-06-18"),
    ];
    all.extend(headers);
    server.ask("POST", "/mcp", &all, &body.to_string()).await
}

fn tools() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
}

#[test]
#[ignore = "needs redis-server"]
fn agents_need_the_token_even_to_read() {
    run_test(async {
        let server = Running::with_token().await;
        let bearer = format!("Bearer {TOKEN}");
        let right = ("Authorization", bearer.as_str());
        assert_eq!(call(&server, &[], &tools()).await.status, 401);
        let wrong = ("Authorization", "Bearer wrong-wrong-wrong-wrong");
        assert_eq!(call(&server, &[wrong], &tools()).await.status, 401);
        let other = ("Origin", "http://evil.example");
        assert_eq!(call(&server, &[right, other], &tools()).await.status, 403);
        assert_eq!(call(&server, &[right, ("Host", "evil.example")], &tools()).await.status, 421);
        let answer = call(&server, &[right], &tools()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("list_databases"), "{}", answer.body);
        // Nothing that changes is offered unless the operator allows it.
        assert!(!answer.body.contains("\"flush_database\""), "{}", answer.body);
        let none = Running::start(|_| ()).await;
        assert_eq!(call(&none, &[right], &tools()).await.status, 403);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn agents_are_offered_the_tiers_that_the_operator_allows() {
    run_test(async {
        let server = Running::start(|options| {
            options.token = Some(Token::new(TOKEN).unwrap());
            options.agents = ChangeOptions::new(Allowed::all());
        })
        .await;
        let bearer = format!("Bearer {TOKEN}");
        let answer = call(&server, &[("Authorization", &bearer)], &tools()).await;
        assert!(answer.body.contains("\"flush_database\""), "{}", answer.body);
    });
}
