//! Inserts rows with the scylla Rust driver: prepared, many in flight, one thread.
//!
//!     peer_writes HOST PORT ROWS IN_FLIGHT
//!
//! prints "rate N" (rows per second) and "cpu_us N" (CPU of this process for each row). The table is
//! scylla_fdw_bench.w, that of the part "writes"; its rows are the same as those of the SQL.
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = behind_name.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

async fn run(host: &str, port: &str, rows: i64, in_flight: usize) {
    let session = SessionBuilder::new()
        .known_node(format!("{host}:{port}"))
        .build()
        .await
        .unwrap();
    let mut statement = session
        .prepare("INSERT INTO scylla_fdw_bench.w (p, c, a, b, s) VALUES (?, ?, ?, ?, ?)")
        .await
        .unwrap();
    statement.set_consistency(Consistency::LocalQuorum);
    let session = Arc::new(session);
    let statement = Arc::new(statement);
    let window = Arc::new(Semaphore::new(in_flight));
    let began = Instant::now();
    let cpu = cpu_seconds();
    for g in 0..rows {
        let permit = window.clone().acquire_owned().await.unwrap();
        let session = session.clone();
        let statement = statement.clone();
        tokio::spawn(async move {
            let values = (g / 100, (g % 100) as i32, g * 7, g as f64 / 8.0, format!("text of row {g}"));
            session.execute_unpaged(&statement, values).await.unwrap();
            drop(permit);
        });
    }
    let _all = window.acquire_many(in_flight as u32).await.unwrap();
    println!("rate {}", rows as f64 / began.elapsed().as_secs_f64());
    println!("cpu_us {}", (cpu_seconds() - cpu) * 1e6 / rows as f64);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(run(
            &arguments[1],
            &arguments[2],
            arguments[3].parse().unwrap(),
            arguments[4].parse().unwrap(),
        ));
}
