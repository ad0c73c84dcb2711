//! A subscription whose connection breaks or goes silent reports it and recovers.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{ChannelEvent, Contract, Database, DatabaseKind, ErrorKind};
use compartment_redis::RedisBackend;
use compartment_testkit::{FaultProxy, TestRedis, run_test};
use futures_util::StreamExt;

use crate::harness::config;

async fn open(url: &str) -> Database {
    let mut config = config(url);
    config.response_timeout = Duration::from_millis(300);
    config.connect_timeout = Duration::from_millis(300);
    let backend = RedisBackend::connect(config, &[0]).await.unwrap();
    backend.open(Contract::new("cache", DatabaseKind::Cache)).await.unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn a_lost_connection_is_told_and_comes_back() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let (near, far) = (open(&server.url()).await, open(&proxy.url()).await);
        let mut heard = far.channel().subscribe("news").await.unwrap();
        for round in 0..3 {
            proxy.refuse().await;
            proxy.cut();
            assert_eq!(heard.next().await, Some(ChannelEvent::Lost), "{round}");
            near.channel().publish("news", "missed".into()).await.unwrap();
            proxy.heal().await;
            assert_eq!(heard.next().await, Some(ChannelEvent::Resumed), "{round}");
            near.channel().publish("news", "heard".into()).await.unwrap();
            assert_eq!(heard.next().await, Some(ChannelEvent::Message("heard".into())));
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_silent_server_is_a_loss_within_heartbeat_and_time_out() {
    run_test(async {
        let server = TestRedis::start().await;
        let proxy = FaultProxy::start(server.port()).await;
        let database = open(&proxy.url()).await;
        let mut heard = database.channel().subscribe("news").await.unwrap();
        proxy.delay(Duration::from_secs(60));
        let lost = tokio::time::timeout(Duration::from_secs(3), heard.next()).await;
        assert_eq!(lost.unwrap(), Some(ChannelEvent::Lost));
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_subscription_takes_one_of_the_connections_and_gives_it_back() {
    run_test(async {
        let server = TestRedis::start().await;
        let mut config = config(&server.url());
        config.max_connections = config.connections_per_database + 1;
        let backend = RedisBackend::connect(config, &[0]).await.unwrap();
        let database = backend.open(Contract::new("cache", DatabaseKind::Cache)).await.unwrap();
        let channel = database.channel();
        let first = channel.subscribe("news").await.unwrap();
        let error = channel.subscribe("news").await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        drop(first);
        compartment_testkit::eventually("the connection is given back", || async {
            channel.subscribe("news").await.is_ok()
        })
        .await;
    });
}
