//! What can be read without a tool: the configuration, the last reports, and the documentation.

use compartment_admin::printable_in_json;
use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents};
use serde_json::{Value, json};

use crate::answer::Problem;
use crate::serving::Serving;
use crate::tools;

const CONFIGURATION: &str = "compartment://configuration";
const REPORTS: &str = "compartment://reports/";
const DOCS: &str = "compartment://docs/";

/// The reports that tools make and resources show again.
const KINDS: [(&str, &str, &str); 2] = [
    ("health", "The last health check", "Every check as health_check found it last."),
    ("doctor", "The last examination", "The findings as doctor made them last."),
];

/// Pages of the documentation.
const PAGES: [(&str, &str, &str); 10] = [
    ("mcp", "Agents: the MCP server", include_str!("../pages/mcp.txt")),
    ("operate", "Operating a deployment", include_str!("../pages/operate.txt")),
    ("doctor", "The doctor's findings", include_str!("../pages/doctor.txt")),
    ("separate", "Separating a Redis", include_str!("../pages/separate.txt")),
    ("moving", "Moving keys", include_str!("../pages/moving.txt")),
    ("batches", "Batches", include_str!("../pages/batches.txt")),
    ("cache", "The cache", include_str!("../pages/cache.txt")),
    ("keys", "Keys and templates", include_str!("../pages/keys.txt")),
    ("ledger", "The ledger", include_str!("../pages/ledger.txt")),
    ("addresses", "Addresses of servers", include_str!("../pages/addresses.txt")),
];

/// Every resource.
pub(crate) fn list() -> Vec<Resource> {
    let configuration = Resource::new(CONFIGURATION, "configuration")
        .with_title("Configuration")
        .with_description("The databases, instances and templates of the map; passwords hidden.")
        .with_mime_type("application/json");
    let reports = KINDS.iter().map(|(kind, title, what)| {
        Resource::new(format!("{REPORTS}{kind}"), format!("report-{kind}"))
            .with_title(*title)
            .with_description(*what)
            .with_mime_type("application/json")
    });
    let pages = PAGES.iter().map(|(name, title, text)| {
        Resource::new(format!("{DOCS}{name}"), format!("docs-{name}"))
            .with_title(*title)
            .with_description("A page of the documentation.")
            .with_mime_type("text/markdown")
            .with_size(text.len() as u64)
    });
    [configuration].into_iter().chain(reports).chain(pages).collect()
}

/// The contents of a resource.
///
/// # Errors
/// For an address that no resource has; a report's.
pub(crate) async fn read(server: &Serving, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    if let Some(name) = uri.strip_prefix(DOCS)
        && let Some((_, _, text)) = PAGES.iter().find(|(known, ..)| *known == name)
    {
        let contents = ResourceContents::text(*text, uri).with_mime_type("text/markdown");
        return Ok(ReadResourceResult::new(vec![contents]));
    }
    let value = if uri == CONFIGURATION {
        configuration(server)
    } else if let Some(kind) = uri.strip_prefix(REPORTS) {
        report(server, kind).await?
    } else {
        return Err(unknown());
    };
    let text = printable_in_json(&format!("{value:#}"));
    let text = server.secrets().hide(&text).into_owned();
    let contents = ResourceContents::text(text, uri).with_mime_type("application/json");
    Ok(ReadResourceResult::new(vec![contents]))
}

/// The last report of that kind, or a new one.
async fn report(server: &Serving, kind: &str) -> Result<Value, ErrorData> {
    if let Some(last) = server.reports().last(kind) {
        return Ok(last);
    }
    let Some(made) = tools::report(server, kind).await else { return Err(unknown()) };
    made.map_err(|Problem(what)| {
        ErrorData::internal_error(crate::answer::text(&what, server.secrets()), None)
    })
}

fn unknown() -> ErrorData {
    ErrorData::resource_not_found("there is no such resource; resources/list names them", None)
}

fn configuration(server: &Serving) -> Value {
    let map = server.operations().map();
    let databases = map.databases().iter().map(|one| {
        json!({
            "name": one.name,
            "kind": one.kind,
            "placement": one.placement.to_string(),
            "default_ttl_seconds": one.default_ttl.map(|ttl| ttl.as_secs()),
            "memory_budget_bytes": one.memory_budget,
            "is_shared": one.is_shared,
        })
    });
    let instances =
        map.instances().iter().map(|(name, one)| (name.clone(), json!(one.url.to_string())));
    let keys = map.keys().iter().map(|(name, rule)| {
        let fields = json!({ "template": rule.template.as_str(), "database": rule.database });
        (name.clone(), fields)
    });
    let tiers = compartment_operations::changes::Tier::ALL.into_iter();
    let allowed = tiers.filter(|tier| server.changes().allowed().has(*tier));
    json!({
        "file": server.operations().options().file,
        "environment": map.environment(),
        "databases": databases.collect::<Vec<_>>(),
        "instances": instances.collect::<serde_json::Map<_, _>>(),
        "keys": keys.collect::<serde_json::Map<_, _>>(),
        "allowed_changes": allowed.map(|tier| tier.to_string()).collect::<Vec<_>>(),
    })
}
