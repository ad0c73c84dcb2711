//! Who is answered: no token, wrong token, another origin, another host, tricks with paths.

use compartment_operations::{Operations, OperationsOptions};
use compartment_server::{Server, ServerError, ServerOptions};
use compartment_testkit::run_test;
use serde_json::json;

use crate::http::{Running, TOKEN, map};

const CHANGE: &str = r#"{"change":"pause_batch","batch":"b"}"#;

#[test]
#[ignore = "needs redis-server"]
fn a_change_needs_the_token_and_a_page_of_this_server() {
    run_test(async {
        let server = Running::with_token().await;
        let bearer = format!("Bearer {TOKEN}");
        let form = ("Content-Type", "application/json");
        let right = ("Authorization", bearer.as_str());
        let refused: &[(&[(&str, &str)], u16)] = &[
            (&[form], 401),
            (&[form, ("Authorization", "Bearer wrong-wrong-wrong-wrong")], 401),
            (&[form, ("Authorization", TOKEN)], 401),
            (&[form, ("Authorization", "Basic dG9rZW46MDEyMw==")], 401),
            (&[form, ("Cookie", "token=0123456789abcdef-token")], 401),
            (&[form, right, ("Origin", "http://evil.example")], 403),
            (&[form, right, ("Origin", "null")], 403),
            (&[form, right, ("Sec-Fetch-Site", "cross-site")], 403),
            (&[form, right, ("Sec-Fetch-Site", "same-site")], 403),
            (&[form, right, ("Host", "evil.example")], 421),
            (&[("Content-Type", "text/plain"), right], 415),
            (&[("Content-Type", "application/x-www-form-urlencoded"), right], 415),
        ];
        for (headers, status) in refused {
            for path in ["/api/changes/plan", "/api/changes/act"] {
                let answer = server.ask("POST", path, headers, CHANGE).await;
                assert_eq!(answer.status, *status, "{path} {headers:?}: {}", answer.body);
                assert!(!answer.body.contains(TOKEN));
            }
        }
        // With all of it right, the change is only wrong in itself.
        let answer = server.ask("POST", "/api/changes/plan", &[form, right], CHANGE).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains("there is no batch"), "{}", answer.body);
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
            let answer = server.ask(method, "/api/changes/plan", &[form, right], CHANGE).await;
            assert!([400, 405].contains(&answer.status), "{method}: {}", answer.status);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn without_a_token_nothing_can_be_changed_and_read_only_holds_even_with_one() {
    run_test(async {
        let form = ("Content-Type", "application/json");
        let bearer = format!("Bearer {TOKEN}");
        let server = Running::start(|_| ()).await;
        for headers in [&[form][..], &[form, ("Authorization", "Bearer "), ("X", "y")]] {
            let answer = server.ask("POST", "/api/changes/plan", headers, CHANGE).await;
            assert_eq!(answer.status, 403, "{}", answer.body);
        }
        let server = Running::start(|options| {
            options.token = Some(compartment_server::Token::new(TOKEN).unwrap());
            options.allows_changes = false;
        })
        .await;
        let headers = [form, ("Authorization", bearer.as_str())];
        let answer = server.ask("POST", "/api/changes/plan", &headers, CHANGE).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn figures_are_for_this_machine_and_for_pages_of_this_server() {
    run_test(async {
        let server = Running::with_token().await;
        let own = format!("http://{}", server.address);
        let bearer = format!("Bearer {TOKEN}");
        for path in ["/api/look", "/metrics", "/api/tasks", "/api/events2", "/api/openapi.json"] {
            let answered = if path == "/api/events2" { 404 } else { 200 };
            assert_eq!(server.get(path).await.status, answered, "{path}");
            assert_eq!(server.ask("GET", path, &[("Origin", &own)], "").await.status, answered);
            let refused: &[(&str, &str, u16)] = &[
                ("Origin", "http://evil.example", 403),
                ("Sec-Fetch-Site", "cross-site", 403),
                ("Host", "evil.example:8090", 421),
                ("Host", "127.0.0.1.evil.example", 421),
                ("X-Forwarded-For", "10.0.0.1", 401),
                ("Forwarded", "for=10.0.0.1", 401),
                ("Via", "1.1 proxy", 401),
            ];
            for (name, value, status) in refused {
                let answer = server.ask("GET", path, &[(name, value)], "").await;
                assert_eq!(answer.status, *status, "{path} {name}: {}", answer.body);
            }
            let passed_on = [("X-Forwarded-For", "10.0.0.1"), ("Authorization", bearer.as_str())];
            assert_eq!(server.ask("GET", path, &passed_on, "").await.status, answered);
        }
        for path in ["/", "/app.js", "/style.css", "/health", "/ready"] {
            let answer = server.ask("GET", path, &[("X-Forwarded-For", "10.0.0.1")], "").await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.head.contains("default-src 'none'"), "{}", answer.head);
            assert!(answer.head.contains("frame-ancestors 'none'"), "{}", answer.head);
        }
        let two = format!(
            "GET /api/look HTTP/1.1\r\nHost: {}\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
            server.address
        );
        assert_eq!(server.send(&two).await.status, 400);
        let none = "GET /api/look HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert_eq!(server.send(none).await.status, 400);
        let absolute = format!(
            "GET http://evil.example/api/look HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.address
        );
        assert_eq!(server.send(&absolute).await.status, 400);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn no_path_leads_to_a_file_or_around_the_guard() {
    run_test(async {
        let server = Running::with_token().await;
        let tricks = [
            "/../../etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/app.js/../../../../etc/passwd",
            "/app.js%00.html",
            "/views/",
            "/views/../app.js",
            "/page/index.html",
            "/.git/config",
            "/api",
            "/api/",
            "/API/look",
            "/api/look/",
            "/api//look",
            "/api/databases/..%2f..%2fetc%2fpasswd",
            "/api/databases/%00",
            "/api/databases/%ff",
            "/api/batches/%0d%0aSet-Cookie:%20a=b",
            "/api/history/@",
            "/api/history/@primary%2f..",
            "/api/documents/..%2f",
            "/api/documents/zz?batch=b",
            "/mcp/",
            "/metrics/..",
        ];
        for path in tricks {
            let answer = server.get(path).await;
            assert!(
                (400..500).contains(&answer.status),
                "{path}: {} {}",
                answer.status,
                answer.body
            );
            assert!(
                !answer.body.contains("root:") && !answer.head.contains("Set-Cookie"),
                "{path}"
            );
            let passed_on = [("X-Forwarded-For", "10.0.0.1")];
            let answer = server.ask("GET", path, &passed_on, "").await;
            assert!([400, 401, 404].contains(&answer.status), "{path}: {}", answer.status);
        }
        for query in [
            "limit=-1",
            "limit=x",
            "limit=99999999999999999999",
            "offset=1e9",
            "stauts=dead",
            "status=no",
            "batch=a&batch=b",
        ] {
            let answer = server.get(&format!("/api/tasks?{query}")).await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.body);
            assert!(answer.json()["error"].is_string());
        }
        let long = "x".repeat(600);
        assert_eq!(server.get(&format!("/api/tasks?error={long}")).await.status, 400);
        assert_eq!(server.get(&format!("/api/batches/{long}")).await.status, 400);
        let huge = json!({"change": "pause_batch", "batch": "x".repeat(100_000)});
        assert_eq!(server.post("/api/changes/plan", &huge).await.status, 413);
        for body in [
            "",
            "{",
            "[]",
            "null",
            r#"{"change":"nothing"}"#,
            r#"{"change":"pause_batch","batch":"b","extra":1}"#,
        ] {
            let bearer = format!("Bearer {TOKEN}");
            let headers =
                [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
            let answer = server.ask("POST", "/api/changes/plan", &headers, body).await;
            assert!([400, 422].contains(&answer.status), "{body}: {}", answer.status);
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn other_machines_are_not_answered_without_a_token() {
    run_test(async {
        let operations = Operations::new(OperationsOptions::new(map("redis://127.0.0.1:1")));
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let mut options = ServerOptions::default();
            options.listen = address.parse().unwrap();
            let refused = Server::bind(operations.clone(), options).await;
            assert!(matches!(refused, Err(ServerError::NeedsToken(_))), "{address}");
        }
    });
}
