//! The server itself, twemproxy and the front before it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use compartment_testkit::{RespConnection, TestRedis};

use crate::measure::Failure;

pub(super) const DIRECT: &str = "direct";
const TWEMPROXY: &str = "twemproxy";
const FRONT: &str = "front";

/// A program that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is measured, and the folder with its files.
pub(super) struct Contenders {
    server: TestRedis,
    others: Vec<(&'static str, u16, Running)>,
    _folder: tempfile::TempDir,
}

impl Contenders {
    /// Starts all; without twemproxy (`apt-get install nutcracker`) the others.
    pub(super) async fn start(program: &Path) -> Result<Self, Failure> {
        let server = TestRedis::start().await;
        let folder = tempfile::tempdir()?;
        let mut others = Vec::new();
        let (port, statistics) = (free()?, free()?);
        let twemproxy = folder.path().join("nutcracker.yml");
        std::fs::write(
            &twemproxy,
            format!(
                "bench:\n  listen: 127.0.0.1:{port}\n  redis: true\n  backlog: 1024\n  timeout: 10000\n  \
                 servers:\n    - 127.0.0.1:{}:1\n",
                server.port()
            ),
        )?;
        let mut nutcracker = Command::new("nutcracker");
        nutcracker.arg("-c").arg(&twemproxy).args(["-s", &statistics.to_string()]);
        match started(&mut nutcracker) {
            Ok(running) => others.push((TWEMPROXY, port, running)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("twemproxy is not installed: apt-get install nutcracker");
            }
            Err(error) => return Err(format!("nutcracker: {error}").into()),
        }
        let port = free()?;
        let configuration = folder.path().join("compartment.toml");
        std::fs::write(
            &configuration,
            format!(
                "[instances.primary]\nurl = \"{}\"\n[databases]\nmain = {{ index = 0, kind = \"durable\" }}\n\
                 [front]\nlisten = \"127.0.0.1:{port}\"\ndefault = \"main\"\n",
                server.url()
            ),
        )?;
        let mut front = Command::new(program);
        front.arg("front").arg("--config").arg(&configuration);
        front.env("COMPARTMENT_STATE", folder.path().join("state"));
        let running =
            started(&mut front).map_err(|error| format!("{}: {error}", program.display()))?;
        others.push((FRONT, port, running));
        for (name, port, _) in &others {
            answers(*port).await.map_err(|error| format!("{name} does not answer: {error}"))?;
        }
        Ok(Self { server, others, _folder: folder })
    }

    /// Each contender and its port, the server itself first.
    pub(super) fn ports(&self) -> Vec<(&'static str, u16)> {
        let others = self.others.iter().map(|(name, port, _)| (*name, *port));
        std::iter::once((DIRECT, self.server.port())).chain(others).collect()
    }
}

fn started(command: &mut Command) -> std::io::Result<Running> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Running)
}

/// A port on which nothing listened a moment before.
fn free() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Waits until a value can be read through the port.
async fn answers(port: u16) -> Result<(), Failure> {
    let mut last: Failure = "no attempt".into();
    for _ in 0..100 {
        match RespConnection::open(port).await {
            Ok(mut connection) => match connection.send(&["GET", "none"]).await {
                Ok(reply) if !reply.is_error() => return Ok(()),
                Ok(reply) => last = reply.text().into(),
                Err(error) => last = error.into(),
            },
            Err(error) => last = error.into(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(last)
}
