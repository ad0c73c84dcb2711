//! Where a node of a cluster sends a request that it does not execute.

/// What a node says instead of executing a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirection {
    /// The slot is at this node now, as `host:port`.
    Moved(String),
    /// The key may be at this node already, which takes the slot over.
    Ask(String),
    /// The slot is moving, or the node is not ready.
    Later,
}

impl Redirection {
    /// The redirection in an error of the node at `from`, by its code and the text behind it. `None` for an error of
    /// another kind.
    #[must_use]
    pub fn read(code: &str, details: &str, from: &str) -> Option<Self> {
        // `MOVED 3999 127.0.0.1:6381`; if the host is missing, it is that of the answering node.
        let address = || {
            let to = details.split(' ').next_back()?;
            match to.strip_prefix(':') {
                Some(port) => Some(format!("{}:{port}", from.rsplit_once(':')?.0)),
                None => Some(to.to_owned()),
            }
        };
        match code {
            "MOVED" => address().map(Self::Moved),
            "ASK" => address().map(Self::Ask),
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" => Some(Self::Later),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_without_a_host_is_to_that_of_the_answering_node() {
        let read = |code, details| Redirection::read(code, details, "h1:7000");
        assert_eq!(read("MOVED", "3999 h2:7001"), Some(Redirection::Moved("h2:7001".to_owned())));
        assert_eq!(read("ASK", "3999 :7001"), Some(Redirection::Ask("h1:7001".to_owned())));
        assert_eq!(read("TRYAGAIN", "Multiple keys"), Some(Redirection::Later));
        assert_eq!(read("ERR", "MOVED 1 h:1"), None);
    }
}
