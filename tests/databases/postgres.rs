//! A PostgreSQL server of the test's own.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use unship::database::ChangeError;
use unship::model::database::DataAction;
use unship::model::validation::TrialOutcome::{Failed, NotRun, Passed};

use super::{changes, checked, database, names, one_value};

const PASSWORD: &str = "p@ss/word-of-the-test";

/// A server until it is dropped.
struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fast shutdown: an immediate one would leave its shared memory behind.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.child.wait();
    }
}

/// Where the server's own programs are: Debian keeps them out of the way.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("initdb").is_file()).max()
}

/// A program as a user that may run a server: it refuses to be root.
fn as_postgres(program: &str, arguments: &[&str]) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--", program])
            .args(arguments);
        command
    } else {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    }
}

impl Server {
    fn start() -> Option<Self> {
        let required = std::env::var("UNSHIP_TEST_REQUIRES").unwrap_or_default();
        let Some(bin) = programs() else {
            assert!(!required.contains("postgres"), "UNSHIP_TEST_REQUIRES names postgres, but there is none");
            eprintln!("skipped: there is no PostgreSQL; apt-get install postgresql");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
        let initdb = bin.join("initdb");
        let arguments = [
            "-D",
            data.to_str().unwrap(),
            "-U",
            "shop",
            "--auth=scram-sha-256",
            "--pwfile",
            password.to_str().unwrap(),
            "--no-sync",
        ];
        let made = as_postgres(initdb.to_str().unwrap(), &arguments).current_dir("/").output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postgres = bin.join("postgres");
        let (number, sockets) = (port.to_string(), folder.path().to_str().unwrap().to_owned());
        let arguments = ["-D", data.to_str().unwrap(), "-p", &number, "-k", &sockets, "-h", "127.0.0.1"];
        let mut command = as_postgres(postgres.to_str().unwrap(), &arguments);
        let child = command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, folder, port };
        let until = Instant::now() + Duration::from_secs(30);
        while server.psql("postgres", "SELECT 1").is_err() {
            assert!(Instant::now() < until, "PostgreSQL does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server.psql("postgres", "CREATE DATABASE shop").unwrap();
        Some(server)
    }

    /// What a statement prints, by PostgreSQL's own program.
    fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "shop", "-d", database])
            .args(["-v", "ON_ERROR_STOP=1", "-qtAc", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn url(&self, password: &str) -> String {
        format!(
            "postgres://shop:{}@127.0.0.1:{}/shop",
            password.replace('@', "%40").replace('/', "%2F"),
            self.port
        )
    }

    fn spec(&self) -> Value {
        json!({
            "engine": { "kind": "postgres", "url": "env:URL" },
            "backups": self.folder.path().join("backups").to_str().unwrap(),
        })
    }
}

const ORDERS: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, item text); \
    INSERT INTO orders SELECT i, 'item ' || i FROM generate_series(1, 5000) i; \
    CREATE SEQUENCE tickets; \
    CREATE TABLE flyway_schema_history (installed_rank int, version varchar, description varchar, success boolean); \
    INSERT INTO flyway_schema_history VALUES (1, '1', 'init', true), (2, '7', 'carts', true)";
const SUM: &str = "SELECT count(*) || ' ' || md5(string_agg(id || item, ',' ORDER BY id)) FROM orders";

/// The schema, checks that cannot change anything, a backup that a server takes back, and what is said when something is wrong.
#[tokio::test]
async fn a_server() {
    let Some(mut server) = Server::start() else { return };
    server.psql("shop", ORDERS).unwrap();
    let mut spec = server.spec();
    spec["checks"] = json!([
        one_value("SELECT count(*) FROM orders", &json!({ "equals": "5000" })),
        one_value("SELECT count(*) FROM orders WHERE item IS NULL", &json!({ "at_least": 1.0 })),
        // Neither a function that writes nor a second statement gets through.
        one_value("SELECT nextval('tickets')", &json!({ "equals": "1" })),
        one_value("SELECT 1); DELETE FROM orders; SELECT (1", &json!({ "equals": "1" })),
        one_value("SELECT pg_sleep(60)", &json!({ "equals": "" })),
    ]);
    spec["timeout"] = json!("1s");
    let shop = database("shop", spec, &server.url(PASSWORD));
    let schema = shop.schema().await.unwrap();
    assert_eq!((schema.version, schema.told_by.as_str()), (Some(7), "flyway"));
    assert_eq!(schema.migrations, ["7 carts", "1 init"]);
    let seen = checked(&shop, &[]).await;
    let outcomes: Vec<_> = seen.iter().map(|(outcome, _)| *outcome).collect();
    assert_eq!(outcomes, [Passed, Failed, NotRun, NotRun, NotRun], "{seen:#?}");
    assert!(seen[2].1.contains("read-only"), "{}", seen[2].1);
    assert!(seen[4].1.contains("no answer within"), "{}", seen[4].1);
    assert_eq!(server.psql("shop", "SELECT last_value FROM tickets").unwrap(), "1");

    let before = server.psql("shop", SUM).unwrap();
    let backup = shop.back_up().await.unwrap();
    assert!(backup.verified.contains("data of 2 tables"), "{backup:?}");
    server.psql("postgres", "CREATE DATABASE again").unwrap();
    let restored = Command::new("pg_restore")
        .args(["-h", "127.0.0.1", "-p", &server.port.to_string(), "-U", "shop", "-d", "again", &backup.file])
        .env("PGPASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(server.psql("again", SUM).unwrap(), before);

    let wrong = database("shop", server.spec(), &server.url("another-password"));
    for why in [wrong.schema().await.unwrap_err(), wrong.back_up().await.unwrap_err()] {
        assert!(why.contains("password authentication failed"), "{why}");
        assert!(!why.contains("another-password"), "{why}");
    }
    // The server dies: it is said, and no half backup is left.
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    server.child.wait().unwrap();
    assert!(shop.back_up().await.is_err() && shop.schema().await.is_err());
    let left = names(&server.folder.path().join("backups"));
    assert_eq!(left.len(), 1, "{left:?}");
}

/// A schema goes up and back; what waits for a lock lets go of it; a connection that is cut leaves nothing half done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations() {
    let Some(server) = Server::start() else { return };
    let folder = server.folder.path().join("migrations");
    let shop = changes::with_folder(server.spec(), &folder, &server.url(PASSWORD));
    let sum = async || {
        let sql = "SELECT count(*) || ' ' || coalesce(md5(string_agg(id || item, ',' ORDER BY id)), '') FROM orders";
        server.psql("shop", sql).unwrap()
    };
    changes::life(&shop, &folder, sum).await;

    // Somebody reads in a long transaction: a script that needs the table lets go after its time, so that others need not wait.
    changes::write(&folder, &[("5_more.sql", "ALTER TABLE orders ADD COLUMN more TEXT;")]);
    let pending = changes::pending(&shop).await;
    let mut reader = Command::new("psql")
        .args(["-h", "127.0.0.1", "-p", &server.port.to_string(), "-U", "shop", "-d", "shop", "-q"])
        .env("PGPASSWORD", PASSWORD)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = reader.stdin.take().unwrap();
    input.write_all(b"BEGIN; SELECT count(*) FROM orders;\n").unwrap();
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass";
    await_that(|| server.psql("shop", locks).unwrap() != "0");
    let locked = shop.change(&changes::apply(&pending)).await;
    assert!(
        matches!(&locked, Err(ChangeError::Transient(why)) if why.contains("lock timeout")),
        "{locked:?}"
    );
    drop(input);
    reader.wait().unwrap();

    // Its connection is cut while it runs: the server undoes it, and the next one does it.
    let slow = "ALTER TABLE orders ADD COLUMN more TEXT; SELECT pg_sleep(60);";
    changes::write(&folder, &[("5_more.sql", slow)]);
    let pending = changes::pending(&shop).await;
    let migrating = tokio::spawn({
        let (shop, what) = (shop.clone(), changes::apply(&pending));
        async move { shop.change(&what).await }
    });
    let at_it = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    await_that(|| server.psql("shop", at_it).unwrap() == "1");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    server.psql("shop", cut).unwrap();
    let why = match migrating.await.unwrap() {
        Err(ChangeError::Transient(why) | ChangeError::Failed(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(why.contains("nothing was changed"), "{why}");
    changes::write(&folder, &[("5_more.sql", "ALTER TABLE orders ADD COLUMN more TEXT;")]);
    let done = shop.change(&changes::apply(&changes::pending(&shop).await)).await;
    assert_eq!(done.unwrap(), "applied: 2, 5; 1 check holds");
}

/// A backup takes the place of what is there in one transaction: it is all there, or all as it was.
#[tokio::test]
async fn restoring() {
    let Some(server) = Server::start() else { return };
    server.psql("shop", ORDERS).unwrap();
    let shop = database("shop", server.spec(), &server.url(PASSWORD));
    let before = server.psql("shop", SUM).unwrap();
    let backup = shop.back_up().await.unwrap();
    server.psql("shop", "DELETE FROM orders WHERE id > 10; CREATE TABLE more (id int)").unwrap();
    let after = server.psql("shop", SUM).unwrap();
    let restore = DataAction::Restore {
        database: "shop".into(),
        file: backup.file.clone(),
        sha256: backup.sha256.clone(),
    };
    // Something that came since then hangs on a table: it cannot be taken away, and nothing is.
    server.psql("shop", "CREATE VIEW few AS SELECT * FROM orders").unwrap();
    let why = changes::failed(shop.change(&restore).await);
    assert!(why.contains("nothing was changed"), "{why}");
    assert_eq!(server.psql("shop", SUM).unwrap(), after);
    server.psql("shop", "DROP VIEW few").unwrap();
    // Half a backup is none.
    let whole = std::fs::read(&backup.file).unwrap();
    let half = server.folder.path().join("half.dump");
    std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let broken = DataAction::Restore {
        database: "shop".into(),
        file: half.to_str().unwrap().to_owned(),
        sha256: backup.sha256.clone(),
    };
    let why = changes::failed(shop.change(&broken).await);
    assert!(why.contains("cannot be read, nothing was changed"), "{why}");
    assert_eq!(server.psql("shop", SUM).unwrap(), after);

    let said = shop.change(&restore).await.unwrap();
    assert_eq!(
        said,
        "data of 2 tables are as they were; the backup does not know public.more, which stays as it is"
    );
    assert_eq!(server.psql("shop", SUM).unwrap(), before);
}

fn await_that(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}
