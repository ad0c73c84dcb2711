//! A front before a cluster: keys on several nodes are as keys of databases on several servers.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod commands;
mod connections;
mod faults;
mod moving;
mod placed;
mod versions;

use compartment_testkit::{RespConnection, TestCluster};

/// Databases that are told apart by prefixes.
const PREFIXED: &str = r#"
[databases.jobs]
kind = "durable"
index = 0
prefix = "job:"

[databases.cache]
kind = "cache"
index = 0
prefix = "page:"
default_ttl = "1h"

[front]
listen = ["127.0.0.1:0"]

[[front.route]]
to = "jobs"
keys = ["job:*"]

[[front.route]]
to = "cache"
keys = ["page:*"]
"#;

/// One database on a cluster, with more text at its end.
fn alone(cluster: &TestCluster, more: &str) -> String {
    format!(
        "[instances.primary]\nurl = \"{}\"\n[databases.all]\nkind = \"durable\"\nindex = 0\n[front]\n\
         listen = [\"127.0.0.1:0\"]\ndefault = \"all\"\n{more}",
        cluster.url()
    )
}

/// Databases on a cluster that are told apart by prefixes, with more text at its end.
fn prefixed(cluster: &TestCluster, more: &str) -> String {
    format!("[instances.primary]\nurl = \"{}\"\n{PREFIXED}{more}", cluster.url())
}

/// The requests of a program in one write, and the replies to them.
async fn pipeline(port: u16, lines: &[String]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut bytes = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        bytes.extend(format!("*{}\r\n", words.len()).into_bytes());
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
    }
    bytes.extend(b"*1\r\n$4\r\nQUIT\r\n");
    stream.write_all(&bytes).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    replies
}

/// Keys, one at each master of a cluster as it was at the start.
async fn key_of_each(cluster: &TestCluster, head: &str) -> Vec<String> {
    let mut keys: Vec<Option<String>> = vec![None; 3];
    let mut number = 0;
    while keys.iter().any(Option::is_none) {
        let key = format!("{head}{number}");
        let (home, _) = cluster.home_of(&key).await;
        keys[home].get_or_insert(key);
        number += 1;
    }
    keys.into_iter().map(Option::unwrap).collect()
}

async fn connect(port: u16) -> RespConnection {
    RespConnection::open(port).await.unwrap()
}
