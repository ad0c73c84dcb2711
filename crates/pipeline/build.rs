//! Sets `have_redis` where there is a redis-server, so that its tests show as ignored elsewhere.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(have_redis)");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=COMPARTMENT_TEST_REDIS");
    let declined = std::env::var("COMPARTMENT_TEST_REDIS").is_ok_and(|value| value == "none");
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !declined && std::env::split_paths(&path).any(|dir| dir.join("redis-server").is_file()) {
        println!("cargo::rustc-cfg=have_redis");
    }
}
