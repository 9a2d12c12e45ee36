//! A mail: its headers and its text.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::Message;
use lettre::error::Error;
use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use super::super::text::shorten;
use crate::model::notification::{Notification, fact};

/// A subject that is longer is not shown anywhere.
const SUBJECT: usize = 200;
/// A text that is longer helps nobody.
const TEXT: usize = 100_000;

/// The mail, as it goes over the wire: lines of at most 998 octets, plain ASCII whatever the text is.
pub(super) fn of(notification: &Notification, from: &Mailbox, to: &[Mailbox]) -> Result<Vec<u8>, Error> {
    let domain = from.email.domain();
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(subject(notification))
        .date(SystemTime::from(notification.at))
        // The same on every attempt, so that a repetition is recognised.
        .message_id(Some(id(&[&notification.environment, notification.key()], domain)))
        // Nobody's holiday reply comes back.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    if let Some(incident) = &notification.incident {
        // All mails of an incident hang below one that is never sent, as nobody knows which of them arrives first.
        let root = id(&[&notification.environment, "incident", incident.as_str()], domain);
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    Ok(builder.body(text(notification))?.formatted())
}

/// A message id: unique to these parts, and to nothing else.
fn id(parts: &[&str], domain: &str) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    format!("<{}.unship@{domain}>", &hex::encode(digest.finalize())[..32])
}

fn subject(notification: &Notification) -> String {
    let heading = match notification.tag() {
        Some(tag) => format!("{tag} {}", notification.heading()),
        None => format!("[{}] {}", notification.environment, notification.heading()),
    };
    // A line end in a header begins another header.
    let heading: String = heading.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(&heading, SUBJECT)
}

fn text(notification: &Notification) -> String {
    let mut text = shorten(&notification.marked_text(), TEXT);
    text.push_str("\n\n");
    if let Some(url) = notification.facts.get(fact::URL) {
        let _ = writeln!(text, "{}\n", shorten(url, SUBJECT * 10));
    }
    let _ = writeln!(text, "environment: {}", notification.environment);
    if let Some(service) = &notification.service {
        let _ = writeln!(text, "service: {service}");
    }
    let _ = writeln!(text, "severity: {}", notification.severity.word());
    for (name, value) in notification.facts.iter().filter(|(name, _)| *name != fact::URL) {
        let _ = writeln!(text, "{name}: {}", shorten(value, SUBJECT * 10));
    }
    let _ = writeln!(text, "at: {}\nkey: {}", notification.at, notification.key());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;

    fn mail(notification: &Notification) -> String {
        let from: Mailbox = "unship <unship@example.com>".parse().unwrap();
        let to: [Mailbox; 2] = ["ana@example.com".parse().unwrap(), "Bo <bo@example.com>".parse().unwrap()];
        String::from_utf8(of(notification, &from, &to).unwrap()).unwrap()
    }

    fn header<'m>(mail: &'m str, name: &str) -> Vec<&'m str> {
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        head.split("\r\n").filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    /// A repetition has the same id, another message another, and all of an incident hang together.
    #[test]
    fn ids_are_stable_and_threads_hold() {
        let mut first = notification();
        first.incident = Some("INC-12".into());
        first.key = Some("INC-12/1/mail/1".to_owned());
        let mut second = first.clone();
        second.key = Some("INC-12/2/mail/1".to_owned());
        let (a, b) = (mail(&first), mail(&second));
        assert_eq!(a, mail(&first));
        assert_ne!(header(&a, "Message-ID"), header(&b, "Message-ID"));
        assert_eq!(header(&a, "References"), header(&b, "References"));
        assert_eq!(header(&a, "In-Reply-To"), header(&a, "References"));
        assert_eq!(header(&a, "References").len(), 1);
        assert!(header(&a, "Message-ID")[0].ends_with(".unship@example.com>"), "{a}");
        assert_eq!(header(&a, "Auto-Submitted"), ["auto-generated"]);
        assert_eq!(header(&a, "To"), ["ana@example.com, Bo <bo@example.com>"]);
    }

    /// Nothing in a text becomes a header, and whatever it holds goes over every server: ASCII, in short lines.
    #[test]
    fn any_text_is_sendable() {
        let mut message = notification();
        message.subject = Some("down\r\nBcc: eve@example.com\r\n\r\nbody".to_owned());
        message.text = format!(".\r\n{}\nümlaut \u{0} 🚒\n.\nQUIT", "x".repeat(5_000));
        message.facts.insert("a".to_owned(), "b\r\nBcc: eve@example.com".to_owned());
        message.drill = true;
        let mail = mail(&message);
        assert!(mail.is_ascii());
        assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        assert_eq!(header(&mail, "Bcc"), Vec::<&str>::new());
        assert_eq!(header(&mail, "Subject").len(), 1);
        assert!(header(&mail, "Subject")[0].starts_with("[production] [DRILL] down"), "{mail}");
    }
}
