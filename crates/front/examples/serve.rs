//! Serves a map: `cargo run -p compartment-front --example serve -- compartment.toml`.

use compartment_core::{DatabaseMap, DatabaseMapBuilder};
use compartment_front::route::Router;
use compartment_front::{FrontServer, Passwords, Setup};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("say which compartment.toml")?;
    let map: DatabaseMap = DatabaseMapBuilder::toml(&std::fs::read_to_string(path)?)?.build()?;
    let router = Router::new(&map, &|_| None)?;
    let server =
        FrontServer::bind(Setup { map, router, passwords: Passwords::default(), observes: false })
            .await?;
    server.run(std::future::pending()).await?;
    Ok(())
}
