//! A neighbourhood as text, JSON Lines, GraphML and Graphviz.

use serde::Serialize;

use super::graph::{Edge, Graph};
use super::values::shown_name;
use crate::model::{EntityKind, RelationshipKind};

/// The words for a relationship, seen from its first entity and from its second.
const fn words_of(kind: RelationshipKind) -> (&'static str, &'static str) {
    match kind {
        RelationshipKind::PartyCase => ("is a party to", "has the party"),
        RelationshipKind::LawyerParty => ("represents", "is represented by"),
        RelationshipKind::JudgeCase => ("hears", "is heard by"),
        RelationshipKind::CaseCourt => ("is before", "has the case"),
        RelationshipKind::Cites => ("cites", "is cited by"),
        RelationshipKind::Event => ("has", "is a date or sum of"),
        RelationshipKind::MentionedTogether => ("is mentioned with", "is mentioned with"),
    }
}

/// The name of a kind as JSON writes it.
fn name_of(kind: impl Serialize) -> String {
    serde_json::to_value(kind)
        .ok()
        .and_then(|name| Some(name.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn name(graph: &Graph, id: &str) -> String {
    graph.nodes.get(id).map_or_else(|| id.to_owned(), |node| shown_name(node.kind, &node.name))
}

/// The neighbourhood as lines of text: a heading, and a line for each relationship.
#[must_use]
pub fn as_text(graph: &Graph) -> String {
    let center = name(graph, &graph.center);
    let mut text = match graph.nodes.get(&graph.center) {
        Some(node) => format!("{center}  ({}, {} documents)\n", name_of(node.kind), node.documents),
        None => format!("{center}\n"),
    };
    for edge in &graph.edges {
        let (forth, back) = words_of(edge.kind);
        let is_own = edge.from == graph.center;
        let sentence = if is_own {
            format!("{forth} {}", name(graph, &edge.to))
        } else if edge.to == graph.center {
            format!("{back} {}", name(graph, &edge.from))
        } else {
            format!("{} {forth} {}", name(graph, &edge.from), name(graph, &edge.to))
        };
        // `filed: 12 May 2021`.
        let sentence = match (&edge.detail, is_own) {
            (Some(event), true) if edge.kind == RelationshipKind::Event => {
                format!("{event}: {}", name(graph, &edge.to))
            }
            _ => sentence,
        };
        let detail = match (&edge.detail, edge.kind) {
            (None, _) => String::new(),
            (Some(_), RelationshipKind::Event) if is_own => String::new(),
            (Some(detail), RelationshipKind::Event) => format!(": {detail}"),
            (Some(detail), RelationshipKind::Cites) => format!(" ({detail})"),
            (Some(detail), _) => format!(" as {detail}"),
        };
        text.push_str(&format!("  {sentence}{detail}  [{}]\n", place(edge)));
    }
    text
}

/// The first place that shows a relationship, and in how many documents it is shown.
fn place(edge: &Edge) -> String {
    let first = format!("{} p. {}", edge.document, edge.page);
    match edge.documents {
        1 => first,
        more => format!("{first}, and {} more", more - 1),
    }
}

/// The neighbourhood as JSON Lines: the entities, then the relationships.
#[must_use]
pub fn as_json_lines(graph: &Graph) -> String {
    let nodes = graph.nodes.values().filter_map(|node| serde_json::to_string(node).ok());
    let edges = graph.edges.iter().filter_map(|edge| serde_json::to_string(edge).ok());
    nodes.chain(edges).map(|line| line + "\n").collect()
}

/// The neighbourhood as GraphML, for programs that lay graphs out.
#[must_use]
pub fn as_graphml(graph: &Graph) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    for (id, of, kind) in [
        ("name", "node", "string"),
        ("kind", "node", "string"),
        ("documents", "node", "int"),
        ("relationship", "edge", "string"),
        ("detail", "edge", "string"),
        ("weight", "edge", "double"),
        ("source", "edge", "string"),
    ] {
        text.push_str(&format!(
            "  <key id=\"{id}\" for=\"{of}\" attr.name=\"{id}\" attr.type=\"{kind}\"/>\n"
        ));
    }
    text.push_str("  <graph edgedefault=\"directed\">\n");
    let data = |key: &str, value: &str| format!("<data key=\"{key}\">{}</data>", escaped(value));
    for node in graph.nodes.values() {
        text.push_str(&format!(
            "    <node id=\"{}\">{}{}{}</node>\n",
            escaped(&node.id),
            data("name", &node.name),
            data("kind", &name_of(node.kind)),
            data("documents", &node.documents.to_string())
        ));
    }
    for edge in &graph.edges {
        text.push_str(&format!(
            "    <edge source=\"{}\" target=\"{}\">{}{}{}{}</edge>\n",
            escaped(&edge.from),
            escaped(&edge.to),
            data("relationship", &name_of(edge.kind)),
            edge.detail.as_ref().map(|detail| data("detail", detail)).unwrap_or_default(),
            data("weight", &edge.weight.to_string()),
            data("source", &place(edge))
        ));
    }
    text.push_str("  </graph>\n</graphml>\n");
    text
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The neighbourhood for Graphviz.
#[must_use]
pub fn as_dot(graph: &Graph) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = String::from("digraph entities {\n  node [shape=box];\n");
    for node in graph.nodes.values() {
        let shape = match node.kind {
            EntityKind::Case => " shape=folder",
            EntityKind::Court => " shape=house",
            EntityKind::Judge | EntityKind::Lawyer => " shape=ellipse",
            _ => "",
        };
        text.push_str(&format!(
            "  {} [label={}{shape}];\n",
            quoted(&node.id),
            quoted(&shown_name(node.kind, &node.name))
        ));
    }
    for edge in &graph.edges {
        let words = words_of(edge.kind).0;
        let label = match (&edge.detail, edge.kind) {
            (None, _) => words.to_owned(),
            (Some(detail), RelationshipKind::Cites) => format!("{words} ({detail})"),
            (Some(detail), _) => detail.clone(),
        };
        text.push_str(&format!(
            "  {} -> {} [label={}];\n",
            quoted(&edge.from),
            quoted(&edge.to),
            quoted(&label)
        ));
    }
    text.push_str("}\n");
    text
}
