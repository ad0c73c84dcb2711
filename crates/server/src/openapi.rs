//! The description of the API by OpenAPI 3.1.

use axum::Json;
use serde_json::{Map, Value, json};

/// Where a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Path,
    Query,
    /// In the query, and without it there is no answer.
    Needed,
}

/// A parameter: its name, place, type and meaning.
type Parameter = (&'static str, In, &'static str, &'static str);

/// A path of the API.
struct Endpoint {
    path: &'static str,
    /// Whether it is asked with POST.
    changes: bool,
    summary: &'static str,
    parameters: &'static [Parameter],
    form: &'static str,
}

const JSON: &str = "application/json";

const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/health",
        changes: false,
        summary: "The process answers.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/ready",
        changes: false,
        summary: "Figures have been read, and every server answered.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/metrics",
        changes: false,
        summary: "The figures of the newest look in Prometheus's text format.",
        parameters: &[],
        form: "text/plain",
    },
    Endpoint {
        path: "/api/look",
        changes: false,
        summary: "Everything that the overview shows: databases, servers, checks, findings, batches, workers, queues.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/api/events",
        changes: false,
        summary: "Each new look as a server-sent event `look`.",
        parameters: &[],
        form: "text/event-stream",
    },
    Endpoint {
        path: "/api/doctor",
        changes: false,
        summary: "Examines the deployment now.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/api/databases/{name}",
        changes: false,
        summary: "A database: its contract, and its figures in the newest look.",
        parameters: &[("name", In::Path, "string", "Its name in the map.")],
        form: JSON,
    },
    Endpoint {
        path: "/api/history/{subject}",
        changes: false,
        summary: "The course of the figures of a database or an instance: a point a minute for seven days.",
        parameters: &[
            (
                "subject",
                In::Path,
                "string",
                "The database, or the instance with @ before its name.",
            ),
            (
                "from",
                In::Query,
                "integer",
                "Milliseconds since 1970; 12 hours before `to` by default.",
            ),
            ("to", In::Query, "integer", "Milliseconds since 1970; now by default."),
            ("max", In::Query, "integer", "Points, at most 2,000; 720 by default."),
        ],
        form: JSON,
    },
    Endpoint {
        path: "/api/batches/{name}",
        changes: false,
        summary: "A batch: stages, failures by code, documents in progress, the slowest documents.",
        parameters: &[("name", In::Path, "string", "The batch.")],
        form: JSON,
    },
    Endpoint {
        path: "/api/tasks",
        changes: false,
        summary: "Rows of the ledger, and matching dead letters.",
        parameters: &[
            ("batch", In::Query, "string", "Only tasks of this batch."),
            ("stage", In::Query, "string", "Only tasks of this stage."),
            ("status", In::Query, "string", "done, failed, dead or retried."),
            ("worker", In::Query, "string", "Only tasks that this worker processed last."),
            ("error", In::Query, "string", "Only tasks whose error contains this text."),
            ("limit", In::Query, "integer", "Rows, at most 1,000; 100 by default."),
            ("offset", In::Query, "integer", "Rows that are skipped."),
        ],
        form: JSON,
    },
    Endpoint {
        path: "/api/dead-letters",
        changes: false,
        summary: "Single tasks that failed for good.",
        parameters: &[
            ("stage", In::Query, "string", "Only those of this stage."),
            ("error", In::Query, "string", "Only those whose error contains this text."),
            ("limit", In::Query, "integer", "At most so many, up to 1,000; 100 by default."),
            ("offset", In::Query, "integer", "How many are skipped."),
        ],
        form: JSON,
    },
    Endpoint {
        path: "/api/documents",
        changes: false,
        summary: "Documents of a batch by name, and the entities of the whole batch once it is completed.",
        parameters: &[
            ("batch", In::Needed, "string", "The batch."),
            ("search", In::Query, "string", "Only documents whose name contains this text."),
            ("from", In::Query, "integer", "The number of the first document that is looked at."),
            ("limit", In::Query, "integer", "At most so many, up to 1,000; 100 by default."),
        ],
        form: JSON,
    },
    Endpoint {
        path: "/api/documents/{hash}",
        changes: false,
        summary: "The entities of a document, or with `entity` the places in its text.",
        parameters: &[
            ("hash", In::Path, "string", "The hash of its content."),
            ("batch", In::Needed, "string", "A batch that it is in."),
            (
                "entity",
                In::Query,
                "string",
                "The id of an entity: only where the text mentions it.",
            ),
        ],
        form: JSON,
    },
    Endpoint {
        path: "/api/plans",
        changes: false,
        summary: "The plans of separations in the server's plan folder.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/api/audit",
        changes: false,
        summary: "The log of changes, the newest first.",
        parameters: &[("limit", In::Query, "integer", "Entries, at most 1,000; 100 by default.")],
        form: JSON,
    },
    Endpoint {
        path: "/api/changes/plan",
        changes: true,
        summary: "Makes a plan of a change by a dry run, which changes nothing.",
        parameters: &[],
        form: JSON,
    },
    Endpoint {
        path: "/api/changes/act",
        changes: true,
        summary: "Carries out a plan by its id, once, unless anything has moved since.",
        parameters: &[],
        form: JSON,
    },
];

/// `GET /api/openapi.json`
pub(crate) async fn openapi() -> Json<Value> {
    Json(description())
}

fn description() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let method = if endpoint.changes { "post" } else { "get" };
        paths.insert(endpoint.path.to_owned(), json!({method: operation(endpoint)}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Compartment",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Figures of a deployment. Other machines, and every change, need the token."
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string", "description": "What happened, and what to do."}}
                }
            }
        }
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let parameters = endpoint.parameters.iter().map(|(name, place, form, meaning)| {
        let (place, is_needed) = match place {
            In::Path => ("path", true),
            In::Query => ("query", false),
            In::Needed => ("query", true),
        };
        let mut schema = json!({"type": form});
        if *form == "integer" {
            schema["minimum"] = json!(0);
        }
        json!({
            "name": name, "in": place, "required": is_needed, "schema": schema, "description": meaning,
        })
    });
    let schema = match endpoint.form {
        JSON => json!({"type": "object"}),
        _ => json!({"type": "string"}),
    };
    let body = match endpoint.path {
        "/api/changes/plan" => Some(json!({
            "type": "object",
            "required": ["change"],
            "properties": {"change": {"type": "string", "description": "pause_batch, retry_failed, …"}},
            "description": "The change, with its own fields beside."
        })),
        "/api/changes/act" => Some(json!({
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "description": "The id of the plan."}}
        })),
        _ => None,
    };
    let problem = json!({
        "description": "Why there is no answer.",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    });
    let mut described = json!({
        "summary": endpoint.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "security": if endpoint.changes { json!([{"token": []}]) } else { json!([{}, {"token": []}]) },
        "responses": {
            "200": {"description": endpoint.summary, "content": {endpoint.form: {"schema": schema}}},
            "default": problem,
        }
    });
    if let Some(schema) = body {
        described["requestBody"] = json!({"required": true, "content": {JSON: {"schema": schema}}});
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for endpoint in ENDPOINTS {
            let in_path: Vec<&str> = endpoint
                .path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let described = endpoint.parameters.iter().filter(|one| one.1 == In::Path);
            assert_eq!(
                in_path,
                described.map(|one| one.0).collect::<Vec<_>>(),
                "{}",
                endpoint.path
            );
        }
    }

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let source = include_str!("router.rs");
        let routes: Vec<&str> = source
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|path| !matches!(*path, "/mcp" | "/api/openapi.json"))
            .collect();
        let described: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
        assert_eq!(routes, described);
    }
}
