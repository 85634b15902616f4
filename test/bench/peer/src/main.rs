//! Writes rows, or looks rows up by key, with the scylla Rust driver: prepared, many in flight, one thread.
//!
//!     peer writes|lookups HOST PORT ROWS IN_FLIGHT
//!
//! prints "rate N" (rows per second) and "cpu_us N" (CPU of this process for each row). Writes go to
//! scylla_fdw_bench.w, that of the part "writes", and are the rows of its SQL; lookups are of the first keys of
//! scylla_fdw_bench.item, each once, every column read into its type.
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::Consistency;
use scylla::value::CqlTimestamp;
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

const WRITE: &str = "INSERT INTO scylla_fdw_bench.w (p, c, a, b, s) VALUES (?, ?, ?, ?, ?)";
const LOOKUP: &str = "SELECT id, n, t, s, m FROM scylla_fdw_bench.item WHERE id = ?";
type Item = (i64, Option<i32>, Option<CqlTimestamp>, Option<String>, Option<i64>);

async fn write(session: &Session, statement: &PreparedStatement, g: i64) {
    let values = (g / 100, (g % 100) as i32, g * 7, g as f64 / 8.0, format!("text of row {g}"));
    session.execute_unpaged(statement, values).await.unwrap();
}

async fn look_up(session: &Session, statement: &PreparedStatement, g: i64) {
    let result = session.execute_unpaged(statement, (g,)).await.unwrap();
    let item: Item = result.into_rows_result().unwrap().single_row().unwrap();
    assert_eq!(item.0, g);
}

async fn run(what: &str, host: &str, port: &str, rows: i64, in_flight: usize) {
    let is_write = what == "writes";
    let session = SessionBuilder::new()
        .known_node(format!("{host}:{port}"))
        .build()
        .await
        .unwrap();
    let mut statement = session
        .prepare(if is_write { WRITE } else { LOOKUP })
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
            if is_write {
                write(&session, &statement, g).await;
            } else {
                look_up(&session, &statement, g).await;
            }
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
            &arguments[3],
            arguments[4].parse().unwrap(),
            arguments[5].parse().unwrap(),
        ));
}
