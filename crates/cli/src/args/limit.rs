//! Arguments of `limit`.

use clap::Args;

/// Set the memory limit and the eviction policy of a server.
#[derive(Args, Debug)]
#[command(after_help = LIMIT_HELP)]
pub(crate) struct Limit {
    /// The instance, by its name in [instances] [default: primary, or the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) instance: Option<String>,

    /// The memory limit as in redis.conf, such as 512mb or 2gb; 0 for no limit
    #[arg(long, value_name = "SIZE", value_parser = memory, required_unless_present = "policy")]
    pub(crate) max_memory: Option<u64>,

    /// The eviction policy, such as noeviction or volatile-lru
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: Option<String>,

    /// Change the settings; without this flag they are only checked
    #[arg(long)]
    pub(crate) apply: bool,

    /// Allow a limit below the memory that the server uses now
    #[arg(long)]
    pub(crate) below_usage: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const LIMIT_HELP: &str = "The settings last until the server restarts: CONFIG REWRITE, or redis.conf, keeps them. The \
output has the command that restores the former ones.

Refused with exit code 12 if the policy evicts keys of a durable or coordination database of the map, if the limit is \
below the memory in use, or above the memory of the machine.

Examples:
  compartment limit --max-memory 1gb --policy volatile-lru
  compartment limit --max-memory 1gb --policy volatile-lru --apply
  compartment limit --instance cache --policy allkeys-lfu --apply";

/// A size as redis.conf has it: `kb`, `mb` and `gb` are powers of 1,024, `k`, `m` and `g` of 1,000.
fn memory(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.trim_start() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" | "kib" => 1 << 10,
        "m" => 1_000_000,
        "mb" | "mib" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" | "gib" => 1 << 30,
        _ => return Err("a size looks like 512mb or 2gb".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a size looks like 512mb or 2gb".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "that is more than any server has".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_in_redis_conf() {
        for (text, bytes) in [
            ("0", 0),
            ("100b", 100),
            ("1k", 1_000),
            ("1kb", 1_024),
            ("2GB", 2 << 30),
            ("3 MiB", 3 << 20),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for text in ["", "gb", "1.5gb", "-1", "1tb", "99999999999gb"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
