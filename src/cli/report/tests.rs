//! Periods as people type them, and files that are written whole or not at all.

use std::fs;

use jiff::Timestamp;

use super::delivery::period;
use super::file;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Dates are whole and in UTC, times are times, and a duration is so long ago.
#[test]
fn periods() {
    let now = at("2026-11-26T12:00:00Z");
    for (from, to, begin, end) in [
        ("30d", None, "2026-10-27T12:00:00Z", "2026-11-26T12:00:00Z"),
        ("2026-11-01", Some("2026-11-02"), "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"),
        ("2026-11-01T08:00:00Z", Some("12h"), "2026-11-01T08:00:00Z", "2026-11-26T00:00:00Z"),
    ] {
        let period = period(from, to, now).unwrap();
        assert_eq!((period.from, period.to), (at(begin), at(end)), "{from} {to:?}");
    }
    for (from, to, words) in [
        ("yesterday", None, "`--from yesterday` is no time; write a date"),
        ("30d", Some("2026-13-01"), "`--to 2026-13-01` is no time"),
        ("2026-11-20", Some("2026-11-01"), "is not before its end"),
    ] {
        let error = period(from, to, now).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

/// What somebody changed while a report was made is not overwritten, a link stays a link, and nothing is left beside the file.
#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pm.md");
    assert_eq!(file::read(&path).unwrap(), None);
    file::replace(&path, None, "one").unwrap();
    fs::write(&path, "two").unwrap();
    let error = file::replace(&path, Some("one"), "three").unwrap_err().to_string();
    assert!(error.contains("was changed while the report was made"), "{error}");
    assert_eq!(file::read(&path).unwrap().as_deref(), Some("two"));
    let link = folder.path().join("link.md");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    file::replace(&link, Some("two"), "three").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["link.md", "pm.md"]);
    let nowhere = folder.path().join("no/such/pm.md");
    let error = file::replace(&nowhere, None, "x").unwrap_err().to_string();
    assert!(error.contains("cannot be written"), "{error}");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(file::read(&path).unwrap_err().to_string().contains("is not text"));
}
