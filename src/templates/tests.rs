//! Tests of templates: those that are built in, and what is said of those that are wrong.

use serde_json::json;

use super::*;

/// What is built in can be filled in, says what it is about in its heading, and leaves no placeholder behind.
#[test]
fn what_is_built_in_can_be_filled_in() {
    for kind in Kind::ALL {
        let template = Template::read(kind, kind.built_in()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let rendered = template.render(&examples(kind)).unwrap();
        insta::assert_snapshot!(
            format!("built_in_{}", kind.name()),
            format!("{}\n\n{}", rendered.subject.unwrap(), rendered.text)
        );
    }
    assert!(Kind::ALL.into_iter().all(|kind| Templates::default().get(kind).is_some()));
}

/// Whatever is wrong is found when it is read, with its line and a way to mend it.
#[test]
fn mistakes_have_their_line() {
    for (text, line, says) in [
        ("a\n{{ servise }}", 2, "unknown placeholder `servise`; did you mean `service`?"),
        ("---\nsubject: {{ nobody }}\n---\nx", 2, "unknown placeholder `nobody`"),
        ("---\nsubject: x\n---\na\nb {{ foo }}", 5, "unknown placeholder `foo`"),
        ("a\n{% if service %}", 2, "not a template"),
        ("{{ service | shout }}", 1, "shout"),
        ("---\nsubject: x\n", 1, "has no end"),
        ("---\nto: x\n---\n", 2, "unknown key `to`"),
        ("---\nsubject\n---\n", 2, "no `key: value`"),
        ("{{ service.name.first }}", 1, "rollback-started"),
        ("{{ actions }}", 1, "has service, reason, status"),
    ] {
        let faults = Template::read(Kind::RollbackStarted, text).unwrap_err();
        assert_eq!(faults[0].line, line, "{text:?}: {faults:?}");
        assert!(faults[0].text.contains(says), "{text:?}: {faults:?}");
    }
}

/// Windows line ends and a byte order mark change nothing; a heading is one line; nothing is escaped.
#[test]
fn what_people_write_is_taken() {
    let text = "\u{feff}---\r\nsubject: \"{{ service }}\r\n---\r\n{{ reason }}\r\n";
    assert!(Template::read(Kind::RollbackStarted, text).is_ok());
    let template = Template::read(Kind::Approval, "{{ facts }}").unwrap();
    let mut values = examples(Kind::Approval);
    values.insert("facts", json!("<b> & {{ service }}"));
    assert_eq!(template.render(&values).unwrap().text, "<b> & {{ service }}");
    values.remove("facts");
    assert!(template.render(&values).is_err(), "nothing is left out quietly");
}
