//! Mail to a server that is not ours: aiosmtpd, with certificates made for each test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use unship::notify::{self, Accepted, Channel, Fault, SendError};

use crate::{page, secrets, spec};

const PATIENCE: Duration = Duration::from_secs(40);
const PASSWORD: &str = "hush-9f86d081884c7d659a2f";

/// A mail server, until it is dropped.
struct Server {
    process: Child,
    dir: TempDir,
    port: u16,
}

impl Server {
    /// Starts one where aiosmtpd is installed. With a user, nobody gets in without a password.
    fn start(mode: &str, user: &str) -> Option<Self> {
        let python = std::env::var_os("UNSHIP_TEST_AIOSMTPD").map_or_else(|| "python3".into(), PathBuf::from);
        let has_it = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !has_it.is_ok_and(|status| status.success()) {
            let what = "`aiosmtpd` is not installed (pip install aiosmtpd; or a Python that has it in UNSHIP_TEST_AIOSMTPD)";
            crate::skip("aiosmtpd", what);
            return None;
        }
        let dir = TempDir::new().unwrap();
        certificates(&dir);
        let said = std::fs::File::create(dir.path().join("said")).unwrap();
        let process = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/channels/smtpd.py"))
            .arg(mode)
            .args(["cert.pem", "key.pem"].map(|name| dir.path().join(name)))
            .args([user, PASSWORD])
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, dir, port: 0 };
        server.port = server.until("it listens", |said| said.lines().next()?.trim().parse().ok());
        Some(server)
    }

    fn until<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let said = std::fs::read_to_string(self.dir.path().join("said")).unwrap_or_default();
            // A line that is being written is not read yet.
            let whole = &said[..said.rfind('\n').map_or(0, |end| end + 1)];
            if let Some(found) = found(whole) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn said(&self, key: &str) -> Vec<Value> {
        self.until("always", |said| {
            let lines = said.lines().skip(1).filter_map(|line| serde_json::from_str::<Value>(line).ok());
            Some(lines.filter(|line| !line[key].is_null()).collect())
        })
    }

    /// The mails that it took.
    fn mails(&self) -> Vec<Value> {
        self.said("text")
    }

    /// The recipients that it was offered, in order.
    fn offered(&self) -> Vec<String> {
        self.said("rcpt").iter().map(|line| line["rcpt"].as_str().unwrap().to_owned()).collect()
    }

    /// A channel to it.
    fn channel(&self, change: &Value) -> std::sync::Arc<dyn Channel> {
        let mut channel = json!({
            "kind": "email", "server": "localhost", "port": self.port, "ca": "env:CA",
            "from": "unship <unship@example.com>", "to": ["ana@example.com", "Bo <bo@example.com>"],
        });
        channel.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let ca = std::fs::read_to_string(self.dir.path().join("ca.pem")).unwrap();
        let secrets = secrets([
            ("CA", ca),
            ("PASSWORD", PASSWORD.to_owned()),
            ("WRONG", "hush-not-the-one".to_owned()),
        ]);
        notify::build(&spec(channel), &secrets).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `ca.pem`, and `cert.pem` with `key.pem` that it vouches for.
fn certificates(dir: &TempDir) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = rcgen::CertificateParams::new(names).unwrap().signed_by(&server_key, &issuer).unwrap();
    for (name, pem) in
        [("ca.pem", ca.pem()), ("cert.pem", server.pem()), ("key.pem", server_key.serialize_pem())]
    {
        std::fs::write(dir.path().join(name), pem).unwrap();
    }
}

#[track_caller]
fn assert_silent(error: &SendError) {
    let said = format!("{error} {error:?}");
    assert!(!said.contains("hush"), "{said}");
}

/// A mail arrives over both kinds of encryption, with a login, with what a repetition and a thread are known by.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_encrypted() {
    for mode in ["starttls", "implicit"] {
        let Some(server) = Server::start(mode, "unship") else { return };
        let channel = server.channel(&json!({"tls": mode, "user": "unship", "password": "env:PASSWORD"}));
        for _ in 0..2 {
            assert_eq!(channel.send(&page()).await, Ok(Accepted::default()), "{mode}");
        }
        let mails = server.mails();
        let ids: Vec<String> = mails.iter().map(|mail| header(mail, "Message-ID").unwrap()).collect();
        assert_eq!((mails.len(), &ids[0]), (2, &ids[1]), "the same id on each attempt");
        let mail = &mails[0];
        assert_eq!(mail["to"], json!(["ana@example.com", "bo@example.com"]));
        assert_eq!((&mail["sender"], &mail["tls"]), (&json!("unship@example.com"), &json!(true)));
        assert_eq!(header(mail, "Subject").unwrap(), "[INC-12 #3] checkout is failing");
        assert_eq!(header(mail, "Auto-Submitted").unwrap(), "auto-generated");
        assert!(header(mail, "In-Reply-To").is_some() && header(mail, "References").is_some());
        assert!(mail["text"].as_str().unwrap().contains("28.9 % of requests fail"), "{mail}");
    }
}

fn header(mail: &Value, name: &str) -> Option<String> {
    let text = mail["text"].as_str()?;
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
}

/// A server on this machine without encryption gets mail, and long text with any characters arrives as it was.
#[tokio::test(flavor = "multi_thread")]
async fn any_text_arrives() {
    let Some(server) = Server::start("none", "") else { return };
    let channel = server.channel(&json!({"tls": "none", "ca": null}));
    let mut message = page();
    message.text = format!("first\n.\n..\n{} end\nümlaut 🚒", "long ".repeat(1_000));
    channel.send(&message).await.unwrap();
    let mails = server.mails();
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.lines().all(|line| line.len() <= 998));
    // Quoted-printable, or base64: the mail's own words say which, and a mail program undoes it.
    assert!(
        header(&mails[0], "Content-Transfer-Encoding")
            .is_some_and(|how| how == "quoted-printable" || how == "base64")
    );
}

/// A certificate that nobody vouches for, or one for another name, gets neither mail nor password; it may be mended, so it is
/// tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_nothing() {
    for mode in ["starttls", "implicit"] {
        let Some(server) = Server::start(mode, "unship") else { return };
        let login = json!({"tls": mode, "user": "unship", "password": "env:PASSWORD"});
        let mut unknown = login.clone();
        unknown["ca"] = Value::Null;
        let other = Server::start(mode, "unship").unwrap();
        let foreign = std::fs::read_to_string(other.dir.path().join("ca.pem")).unwrap();
        std::fs::write(server.dir.path().join("ca.pem"), foreign).unwrap();
        for change in [unknown, login] {
            let error = server.channel(&change).send(&page()).await.unwrap_err();
            assert!(matches!(error, SendError::Retry { .. }), "{mode}: {error:?}");
            assert!(error.to_string().starts_with(&format!("smtp://localhost:{}: ", server.port)), "{error}");
            assert_silent(&error);
        }
        assert!(server.mails().is_empty() && server.offered().is_empty());
    }
}

/// A server that offers no encryption gets neither mail nor password.
#[tokio::test(flavor = "multi_thread")]
async fn no_encryption_no_mail() {
    let Some(server) = Server::start("none", "") else { return };
    let channel = server.channel(&json!({"tls": "starttls", "user": "unship", "password": "env:PASSWORD"}));
    let error = channel.send(&page()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Permanent { reason, fault: Fault::Config } if reason.contains("STARTTLS")),
        "{error:?}"
    );
    assert!(server.offered().is_empty());
}

/// A wrong password is said to be the config's, and is not repeated in any form.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_repeated() {
    let Some(server) = Server::start("starttls", "unship") else { return };
    let channel = server.channel(&json!({"user": "unship", "password": "env:WRONG"}));
    let error = channel.send(&page()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Permanent { reason, fault: Fault::Config } if reason.contains("535")),
        "{error:?}"
    );
    assert_silent(&error);
    assert!(server.mails().is_empty());
}

/// A recipient who is busy gets the mail later, and who has it already does not get it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_recipient_gets_it_later() {
    let Some(server) = Server::start("starttls", "") else { return };
    let channel = server.channel(&json!({"to": ["ana@example.com", "busy@example.com"]}));
    let error = channel.send(&page()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Retry { reason, .. } if reason.contains("busy@example.com") && reason.contains("451")),
        "{error:?}"
    );
    assert_eq!(channel.send(&page()).await, Ok(Accepted::default()));
    assert_eq!(server.offered(), ["ana@example.com", "busy@example.com", "busy@example.com"]);
    let to: Vec<_> = server.mails().iter().map(|mail| mail["to"].clone()).collect();
    assert_eq!(to, [json!(["ana@example.com"]), json!(["busy@example.com"])]);
}

/// A mail that one of two recipients can never get is accepted for the other, and says who did not get it; a mail that nobody
/// can get is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_recipient_is_named() {
    let Some(server) = Server::start("starttls", "") else { return };
    let channel = server.channel(&json!({"to": ["ana@example.com", "nobody@example.com"]}));
    let accepted = channel.send(&page()).await.unwrap();
    assert!(
        accepted.detail.starts_with("1 of 2 took it; nobody@example.com: ")
            && accepted.detail.contains("550"),
        "{accepted:?}"
    );
    let mut message = page();
    message.to = vec!["nobody@example.com".to_owned(), "no address".to_owned()];
    message.key = Some("INC-12/3/nobody/1".to_owned());
    let error = channel.send(&message).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Permanent { reason, fault: Fault::Message } if reason.contains("no mail address")),
        "{error:?}"
    );
}

/// A refusal of the text is final; a server that falls silent or hangs up after the text leaves it open whether it has the
/// mail.
#[tokio::test(flavor = "multi_thread")]
async fn after_the_text() {
    let Some(server) = Server::start("starttls", "") else { return };
    let to = |name: &str| json!({"to": [format!("{name}@example.com")], "timeout": "2s"});
    let error = server.channel(&to("full")).send(&page()).await.unwrap_err();
    assert!(
        matches!(&error, SendError::Permanent { reason, fault: Fault::Message } if reason.contains("552")),
        "{error:?}"
    );
    for name in ["slow", "drop"] {
        let error = server.channel(&to(name)).send(&page()).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown { .. }), "{name}: {error:?}");
    }
    // The text did arrive, as the next attempt's will, under the same id.
    assert_eq!(server.mails().len(), 1);
}
