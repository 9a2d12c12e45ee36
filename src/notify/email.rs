//! Mail by SMTP: one session a message, encrypted by STARTTLS or from the first byte, with a result for each recipient.
//!
//! A 250 after the text means that the next server has the mail; nobody knows whether it arrives. 4xx can be tried again, 5xx
//! cannot. A recipient who has taken the mail is left out when it is tried again for the others. A connection that
//! is lost after the text was sent leaves it unknown whether the mail was taken.
//!
//! Sources: RFC 5321 (SMTP), RFC 5322 (messages), RFC 8314 (TLS), RFC 3834 (`Auto-Submitted`).

mod message;
mod taken;

use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use super::text::shorten;
use super::{Accepted, Channel, SendError, http};
use crate::model::channel::{EmailSpec, EmailTls};
use crate::model::notification::Notification;
use crate::model::secret::Secrets;
use crate::model::units::human;

use taken::{Became, Taken};

/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(3);
/// Characters of a server's words that are repeated in a reason.
const QUOTED: usize = 200;

/// A mail server and its recipients.
pub struct Email {
    server: String,
    port: u16,
    tls: EmailTls,
    /// What is trusted instead of the system's certificates; empty: those.
    ca: Vec<Certificate>,
    login: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    secrets: Secrets,
    /// Forms of the password that go over the wire.
    encoded: Vec<String>,
    /// Who has taken what, while it is tried again for others.
    taken: Mutex<Taken>,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Email").field("server", &self.shown()).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Email {
    /// Checks the spec and takes its secrets. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`], naming what is wrong: an address, a certificate, a user without a password, a login that
    /// would be sent in plain text, a secret that was not read.
    pub fn new(spec: &EmailSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let wrong = |what: String| SendError::config(format!("email: {what}"));
        let mailbox = |key: &str, text: &str| {
            Mailbox::from_str(text).map_err(|error| {
                wrong(format!("`{key}` is no mail address like `Name <name@example.com>`: {error}"))
            })
        };
        let ca = match &spec.ca {
            None => Vec::new(),
            Some(reference) => certificates(http::read("email", reference, secrets)?)
                .ok_or_else(|| wrong(format!("`{reference}` holds no certificate in PEM")))?,
        };
        let (login, encoded) = match (&spec.user, &spec.password) {
            (None, None) => (None, Vec::new()),
            (Some(_), Some(_)) if spec.tls == EmailTls::None => {
                return Err(wrong("`user` would be sent in plain text; set `tls`".to_owned()));
            }
            (Some(user), Some(reference)) => {
                let password = http::read("email", reference, secrets)?;
                let plain = STANDARD.encode(format!("\0{user}\0{password}"));
                let encoded = vec![plain, STANDARD.encode(password)];
                (Some(Credentials::new(user.clone(), password.to_owned())), encoded)
            }
            (Some(_), None) => return Err(wrong("`user` has no `password`".to_owned())),
            (None, Some(_)) => return Err(wrong("`password` has no `user`".to_owned())),
        };
        let to = spec.to.iter().map(|to| mailbox("to", to)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(wrong("`to` is empty".to_owned()));
        }
        Ok(Self {
            server: spec.server.clone(),
            port: spec.port(),
            tls: spec.tls,
            ca,
            login,
            from: mailbox("from", &spec.from)?,
            to,
            timeout: *spec.timeout,
            secrets: secrets.clone(),
            encoded,
            taken: Mutex::default(),
        })
    }

    /// How the server is called in errors.
    fn shown(&self) -> String {
        format!("smtp://{}:{}", self.server, self.port)
    }

    /// What the server or the connection says, fit to be shown.
    fn quote(&self, error: &SmtpError) -> String {
        let mut text = self.secrets.redact(&error.to_string());
        for encoded in &self.encoded {
            text = text.replace(encoded, "[redacted]");
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        shorten(&words.join(" "), QUOTED)
    }

    /// An error of a step before the text was sent.
    fn before(&self, error: &SmtpError) -> SendError {
        let reason = format!("{}: {}", self.shown(), self.quote(error));
        // A refusal, or something that this server cannot do: what was configured is not what is there.
        if error.is_permanent() || error.is_client() {
            SendError::config(reason)
        } else {
            SendError::Retry { reason, after: None }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let tls = || {
            // The one provider of the house. Whoever was first has installed the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut tls = TlsParameters::builder(self.server.clone());
            if !self.ca.is_empty() {
                tls = tls.certificate_store(CertificateStore::None);
            }
            for certificate in &self.ca {
                tls = tls.add_root_certificate(certificate.clone());
            }
            tls.build_rustls().map_err(|error| self.before(&error))
        };
        let hello = hello();
        let implicit = if self.tls == EmailTls::Implicit { Some(tls()?) } else { None };
        let at = (self.server.as_str(), self.port);
        let connect = AsyncSmtpConnection::connect_tokio1(at, Some(CONNECT), &hello, implicit, None);
        let mut connection = connect.await.map_err(|error| self.before(&error))?;
        if self.tls == EmailTls::Starttls {
            // A server that does not offer it, or somebody in between who took the offer out, gets nothing.
            connection.starttls(tls()?, &hello).await.map_err(|error| self.before(&error))?;
        }
        if let Some(login) = &self.login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, login).await.map_err(|error| self.before(&error))?;
        }
        Ok(connection)
    }

    /// Offers a mail to these recipients. `has_begun` is set when from then on nobody can know whether it was taken.
    async fn offer(
        &self,
        text: &[u8],
        recipients: &[Address],
        has_begun: &AtomicBool,
    ) -> Result<Vec<(Address, Became)>, SendError> {
        let mut connection = self.connect().await?;
        let from = Some(self.from.email.clone());
        connection.command(Mail::new(from, Vec::new())).await.map_err(|error| self.before(&error))?;
        let mut results = Vec::new();
        for recipient in recipients {
            let said = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await;
            let result = match said {
                Ok(_) => Became::Taken,
                Err(error) if error.is_permanent() => Became::Refused(self.quote(&error)),
                Err(error) if error.is_transient() => Became::NotYet(self.quote(&error)),
                Err(error) => return Err(self.before(&error)),
            };
            results.push((recipient.clone(), result));
        }
        if results.iter().any(|(_, result)| *result == Became::Taken) {
            connection.command(Data).await.map_err(|error| self.before(&error))?;
            has_begun.store(true, Ordering::Release);
            let said = connection.message(text).await;
            has_begun.store(false, Ordering::Release);
            if let Err(error) = said {
                let reason = format!("{}: {}", self.shown(), self.quote(&error));
                return Err(if error.is_permanent() {
                    SendError::message(reason)
                } else if error.is_transient() {
                    SendError::Retry { reason, after: None }
                } else {
                    SendError::Unknown { reason }
                });
            }
        }
        // It has the mail; how it takes the goodbye is of no matter, and nothing waits long for it.
        let _ = timeout(CONNECT, connection.quit()).await;
        Ok(results)
    }
}

#[async_trait]
impl Channel for Email {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let mut wrong = Vec::new();
        let mut to = Vec::new();
        for text in &notification.to {
            match Mailbox::from_str(text) {
                Ok(mailbox) => to.push(mailbox),
                Err(error) => wrong.push((text.clone(), format!("is no mail address: {error}"))),
            }
        }
        if notification.to.is_empty() {
            to.clone_from(&self.to);
        }
        let key = notification.key();
        let open = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            for (text, reason) in wrong {
                taken.note(key, &text, Became::Refused(reason));
            }
            let addresses = to.iter().map(|mailbox| mailbox.email.clone());
            addresses.filter(|address| taken.is_open(key, address.as_ref())).collect::<Vec<_>>()
        };
        if !open.is_empty() {
            let text = message::of(notification, &self.from, &to)
                .map_err(|error| SendError::message(format!("{}: {error}", self.shown())))?;
            let has_begun = AtomicBool::new(false);
            let results = match timeout(self.timeout, self.offer(&text, &open, &has_begun)).await {
                Ok(results) => results?,
                Err(_) => {
                    let reason = format!("{}: no answer within {}", self.shown(), human(self.timeout));
                    return Err(if has_begun.load(Ordering::Acquire) {
                        SendError::Unknown { reason }
                    } else {
                        SendError::Retry { reason, after: None }
                    });
                }
            };
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            for (address, result) in results {
                taken.note(key, address.as_ref(), result);
            }
        }
        let own = notification.to.is_empty();
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).settle(key, &self.shown(), own)
    }

    fn host(&self) -> String {
        self.server.clone()
    }
}

fn certificates(pem: &str) -> Option<Vec<Certificate>> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = pem.split_inclusive(END).filter(|block| block.contains("-----BEGIN CERTIFICATE-----"));
    let all = blocks.map(|block| Certificate::from_pem(block.as_bytes()).ok()).collect::<Option<Vec<_>>>()?;
    (!all.is_empty()).then_some(all)
}

/// How this machine introduces itself.
fn hello() -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_plain) {
        return ClientId::default();
    }
    ClientId::Domain(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::secret::Secret;

    fn email(change: &serde_json::Value) -> Result<Email, SendError> {
        let mut spec = json!({
            "server": "127.0.0.1", "from": "unship <unship@example.com>", "to": ["ana@example.com"],
        });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let mut secrets = Secrets::default();
        secrets.insert("env:PASSWORD".parse().unwrap(), Secret::new("hunter2hunter2"));
        Email::new(&serde_json::from_value(spec).unwrap(), &secrets)
    }

    /// A mistake in the config is named when the channel is made, and no password is ever sent in plain text.
    #[test]
    fn mistakes_are_found_early() {
        for (change, expected) in [
            (json!({"from": "nobody"}), "`from` is no mail address"),
            (json!({"to": ["ana@example.com", "b c"]}), "`to` is no mail address"),
            (json!({"to": []}), "`to` is empty"),
            (json!({"user": "ana"}), "`user` has no `password`"),
            (json!({"password": "env:PASSWORD"}), "`password` has no `user`"),
            (json!({"user": "ana", "password": "env:NONE"}), "the secret `env:NONE` was not read"),
            (json!({"user": "ana", "password": "env:PASSWORD", "tls": "none"}), "in plain text"),
            (json!({"ca": "env:PASSWORD"}), "`env:PASSWORD` holds no certificate"),
        ] {
            let error = email(&change).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
        let fine = email(&json!({"user": "ana", "password": "env:PASSWORD"})).unwrap();
        assert_eq!((fine.port, fine.shown().as_str()), (587, "smtp://127.0.0.1:587"));
        assert!(!format!("{fine:?}").contains("hunter2"));
    }
}
