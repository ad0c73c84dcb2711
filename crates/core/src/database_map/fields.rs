//! The fields of a section that are written to a file, as TOML.

/// The fields that are set.
pub(super) fn present<const N: usize>(
    fields: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The fields that are not as usual: each with whether it differs.
pub(super) fn changed<const N: usize>(
    fields: [(&'static str, bool, String); N],
) -> Vec<(&'static str, String)> {
    let changed = fields.into_iter().filter(|(_, is_changed, _)| *is_changed);
    changed.map(|(name, _, text)| (name, text)).collect()
}
