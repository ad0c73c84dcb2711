//! Replicas: whether the URL leads to one, and whether those that may be promoted are set like their master.

use compartment_core::{Instance, InstanceUrl};
use compartment_redis::{RedisConfig, Server};

use super::code::{Code, Severity};
use super::facts::ServerFacts;
use super::finding::Finding;
use super::node::Node;
use crate::info::Info;
use crate::own_name::own_name;

/// Settings that decide what happens to keys once a replica is the master.
const COMPARED: [&str; 7] = [
    "maxmemory",
    "maxmemory-policy",
    "appendonly",
    "save",
    "databases",
    "notify-keyspace-events",
    "maxclients",
];

pub(super) async fn check(server: &ServerFacts<'_>, unknown: &mut Vec<String>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = on_replica(server).into_iter().collect();
    // The nodes of a cluster take no connection that is meant for a server by itself.
    if server.server.is_cluster() {
        return findings;
    }
    for node in &server.nodes {
        for (host, port) in replicas(&node.info) {
            match compared(server, node, &host, port).await {
                Ok(found) => findings.extend(found),
                Err(error) => {
                    unknown.push(format!("the settings of the replica {host}:{port}: {error}"));
                }
            }
        }
    }
    findings
}

fn on_replica(server: &ServerFacts<'_>) -> Option<Finding> {
    let node = server.nodes.iter().find(|node| node.condition.replica.is_some())?;
    let master = match (node.info.get("master_host"), node.info.get("master_port")) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => "its master".to_owned(),
    };
    let what = format!("{} is a replica of {master}", node.location);
    Some(
        Finding::new(Code::OnReplica, Severity::Critical, what)
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .why("it refuses writes, or loses them at the next sync with its master")
            .cure(format!(
                "name {master} in [instances.{}], or the Sentinels by redis+sentinel://",
                server.name
            )),
    )
}

/// The replicas of a master that are in step, as it sees them: `slave0:ip=…,port=…,state=online,…`.
fn replicas(info: &Info) -> Vec<(String, u16)> {
    let count: usize = info.number("connected_slaves").unwrap_or(0);
    let replica = |number: usize| {
        let field = format!("slave{number}");
        let is_online = info.part::<String>(&field, "state")? == "online";
        Some((info.part(&field, "ip")?, info.part(&field, "port")?)).filter(|_| is_online)
    };
    (0..count).filter_map(replica).collect()
}

async fn compared(
    server: &ServerFacts<'_>,
    master: &Node,
    host: &str,
    port: u16,
) -> crate::Result<Option<Finding>> {
    let instance = instance_at(server.instance, host, port)?;
    let replica = Server::connect(RedisConfig::for_instance(&instance, 1)).await?;
    let mut connection = replica.open(0, &own_name("doctor")).await?;
    let node = Node::ask(&mut connection).await;
    let mut differ = Vec::new();
    for name in COMPARED {
        if let (Some(here), Some(there)) = (master.setting(name), node.setting(name))
            && here != there
        {
            differ.push(format!("{name} is {there:?} and not {here:?}"));
        }
    }
    if differ.is_empty() {
        return Ok(None);
    }
    let what = format!("the replica {host}:{port} is set unlike its master: {}", differ.join("; "));
    Ok(Some(
        Finding::new(Code::ReplicaSettingsDiffer, Severity::Warning, what)
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .why(
                "once it is promoted, its settings decide which keys are evicted, kept and announced, and the \
                 contracts were held against the master's",
            )
            .cure(format!(
                "CONFIG SET on {host}:{port} to the master's values (databases needs a restart), then \
                 CONFIG REWRITE"
            )),
    ))
}

/// The server at an address, reached as `instance` is.
fn instance_at(instance: &Instance, host: &str, port: u16) -> compartment_core::Result<Instance> {
    let scheme = if instance.url.is_tls() { "rediss" } else { "redis" };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let url = InstanceUrl::parse(&format!("{scheme}://{host}:{port}"))?;
    let mut other = instance.clone();
    other.url = url.with_login_of(&instance.url);
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_in_step_are_read() {
        let info = Info::read(
            "connected_slaves:3\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0\r\n\
             slave1:ip=10.0.0.3,port=6380,state=wait_bgsave,offset=0,lag=0\r\n\
             slave2:ip=::1,port=6381,state=online,offset=1,lag=1\r\n",
        );
        assert_eq!(replicas(&info), [("10.0.0.2".to_owned(), 6379), ("::1".to_owned(), 6381)]);
        let instance = Instance::new("rediss://me:pw@master:6379").unwrap();
        let other = instance_at(&instance, "::1", 6381).unwrap();
        assert_eq!(other.url.reveal(), "rediss://me:pw@[::1]:6381");
    }
}
