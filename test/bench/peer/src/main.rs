//! Writes rows, looks rows up by key, or scans a table, with the scylla Rust driver: prepared, many in flight, one
//! thread.
//!
//!     peer writes|lookups|scans HOST PORT ROWS IN_FLIGHT
//!
//! prints "rate N" (rows per second) and "cpu_us N" (CPU of this process for each row). Writes go to
//! scylla_fdw_bench.w, that of the part "writes", and are the rows of its SQL; lookups are of the first keys of
//! scylla_fdw_bench.item, each once; scans read all of that table, in ranges of tokens that hold about a page each.
//! Every column is read into its type.
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::PagingState;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::Consistency;
use scylla::value::CqlTimestamp;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
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
const SCAN: &str =
    "SELECT id, n, t, s, m FROM scylla_fdw_bench.item WHERE token(id) > ? AND token(id) <= ?";
const PAGE_ROWS: i64 = 5000;
const RANGE_ROWS: i64 = PAGE_ROWS * 9 / 10; // so that most ranges are one page
type Item = (i64, Option<i32>, Option<CqlTimestamp>, Option<String>, Option<i64>);

/// What is done many times; each returns the rows that it was about.
#[derive(Clone, Copy)]
enum Work {
    Write,
    LookUp,
    Scan { ranges: i64 },
}

impl Work {
    fn new(name: &str, rows: i64) -> Work {
        match name {
            "writes" => Work::Write,
            "lookups" => Work::LookUp,
            "scans" => Work::Scan { ranges: (rows + RANGE_ROWS - 1) / RANGE_ROWS },
            _ => panic!("usage: peer writes|lookups|scans HOST PORT ROWS IN_FLIGHT"),
        }
    }

    fn text(&self) -> &'static str {
        match self {
            Work::Write => WRITE,
            Work::LookUp => LOOKUP,
            Work::Scan { .. } => SCAN,
        }
    }

    fn count(&self, rows: i64) -> i64 {
        match self {
            Work::Scan { ranges } => *ranges,
            _ => rows,
        }
    }

    async fn perform(self, session: &Session, statement: &PreparedStatement, g: i64) -> i64 {
        match self {
            Work::Write => write(session, statement, g).await,
            Work::LookUp => look_up(session, statement, g).await,
            Work::Scan { ranges } => scan(session, statement, bound(g, ranges), bound(g + 1, ranges)).await,
        }
    }
}

async fn write(session: &Session, statement: &PreparedStatement, g: i64) -> i64 {
    let values = (g / 100, (g % 100) as i32, g * 7, g as f64 / 8.0, format!("text of row {g}"));
    session.execute_unpaged(statement, values).await.unwrap();
    1
}

async fn look_up(session: &Session, statement: &PreparedStatement, g: i64) -> i64 {
    let result = session.execute_unpaged(statement, (g,)).await.unwrap();
    let item: Item = result.into_rows_result().unwrap().single_row().unwrap();
    assert_eq!(item.0, g);
    1
}

/// Where range g of so many ends; no token is i64::MIN.
fn bound(g: i64, ranges: i64) -> i64 {
    (i64::MIN as i128 + (g as i128 * u64::MAX as i128) / ranges as i128) as i64
}

async fn scan(session: &Session, statement: &PreparedStatement, above: i64, to: i64) -> i64 {
    let mut state = PagingState::start();
    let mut count = 0;
    loop {
        let (page, next) = session
            .execute_single_page(statement, (above, to), state)
            .await
            .unwrap();
        for item in page.into_rows_result().unwrap().rows::<Item>().unwrap() {
            black_box(item.unwrap());
            count += 1;
        }
        match next.into_paging_control_flow() {
            ControlFlow::Break(()) => return count,
            ControlFlow::Continue(following) => state = following,
        }
    }
}

async fn run(what: &str, host: &str, port: &str, rows: i64, in_flight: usize) {
    let work = Work::new(what, rows);
    let session = SessionBuilder::new()
        .known_node(format!("{host}:{port}"))
        .build()
        .await
        .unwrap();
    let mut statement = session.prepare(work.text()).await.unwrap();
    statement.set_consistency(Consistency::LocalQuorum);
    statement.set_page_size(PAGE_ROWS as i32);
    let session = Arc::new(session);
    let statement = Arc::new(statement);
    let window = Arc::new(Semaphore::new(in_flight));
    let done = Arc::new(AtomicI64::new(0));
    let began = Instant::now();
    let cpu = cpu_seconds();
    for g in 0..work.count(rows) {
        let permit = window.clone().acquire_owned().await.unwrap();
        let (session, statement, done) = (session.clone(), statement.clone(), done.clone());
        tokio::spawn(async move {
            done.fetch_add(work.perform(&session, &statement, g).await, Ordering::Relaxed);
            drop(permit);
        });
    }
    let _all = window.acquire_many(in_flight as u32).await.unwrap();
    assert_eq!(done.load(Ordering::Relaxed), rows);
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
