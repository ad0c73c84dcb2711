//! The doctor's findings: the fault, why it matters, and its cure.

use compartment_admin::doctor::{Finding, Severity};
use compartment_admin::size;
use compartment_operations::count;

use crate::facts::Facts;
use crate::figures::{age, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 5] = [
    Column::text("severity", 0, 8, 8),
    Column::text("finding", 0, 22, 29),
    Column::text("databases", 1, 12, 24),
    Column::text("fault", 0, 40, 200),
    Column::text("instance", 2, 10, 20),
];

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Warning,
        _ => Tone::Plain,
    }
}

/// The findings with ids that stay the same while the findings do.
fn findings(facts: &Facts) -> impl Iterator<Item = (String, &Finding)> {
    let found = facts.look.iter().filter_map(|look| look.doctor.as_ref());
    let all = found.flat_map(|doctor| &doctor.findings);
    all.map(|one| {
        (format!("{} {} {}", one.code.as_str(), one.instance, one.databases.join(" ")), one)
    })
}

pub(super) fn table(facts: &Facts) -> Table {
    let examined = facts.look.as_ref().and_then(|look| Some((look, look.doctor.as_ref()?)));
    let empty = match examined {
        None => "the doctor has not finished its first examination".to_owned(),
        Some((look, doctor)) => {
            let ago = look
                .doctor_at_ms
                .map_or_else(String::new, |then| format!(" {} ago", age(facts.now_ms, then)));
            let keys = count(doctor.keys_looked_at);
            format!("no finding; the doctor looked at {keys} keys{ago}")
        }
    };
    let rows = findings(facts).map(|(id, one)| {
        let cells = vec![
            Cell::text(one.severity.to_string())
                .tone(tone(one.severity))
                .sorted_by(f64::from(one.severity as u8)),
            Cell::text(one.code.as_str()),
            Cell::text(shown(&one.databases.join(" "))),
            Cell::text(shown(&one.what)),
            Cell::text(shown(&one.instance)),
        ];
        Row::new(id, cells)
    });
    Table::new(&COLUMNS, rows.collect(), &empty)
}

pub(super) fn page(facts: &Facts, id: &str) -> Option<Page> {
    let (_, one) = findings(facts).find(|(found, _)| found == id)?;
    let mut figures = vec![
        ("severity", Cell::text(one.severity.to_string()).tone(tone(one.severity))),
        ("instance", Cell::text(shown(&one.instance))),
    ];
    if !one.databases.is_empty() {
        figures.push(("databases", Cell::text(shown(&one.databases.join(", ")))));
    }
    figures.extend(one.key_count.map(|keys| ("keys, about", Cell::count(keys))));
    figures.extend(one.bytes.map(|bytes| ("bytes, about", Cell::text(size(bytes)))));
    if !one.keys.is_empty() {
        let keys: Vec<String> = one.keys.iter().map(|key| shown(key)).collect();
        figures.push(("some of the keys", Cell::text(keys.join(" "))));
    }
    let page = Page::new(format!("finding {}", one.code.as_str()))
        .with(Block::Facts(figures))
        .under("fault", Block::Text(shown(&one.what), Tone::Plain))
        .under("why it matters", Block::Text(shown(&one.why), Tone::Plain))
        .under("cure", Block::Text(shown(&one.cure), Tone::Strong));
    Some(page)
}
