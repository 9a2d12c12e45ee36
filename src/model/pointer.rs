//! JSON pointers: where a value is in a document. RFC 6901.

/// What is wrong with a pointer, in words; nothing if it is one.
pub fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    if !text.starts_with('/') {
        return Some("it does not begin with `/`".to_owned());
    }
    let bad =
        text.match_indices('~').find(|(at, _)| !matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')));
    bad.map(|_| "a `~` is written `~0`, and a `/` in a name `~1`".to_owned())
}

/// A name as it stands in a pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever has no fault is read by the library that follows pointers, and finds the name that was escaped.
    #[test]
    fn pointers_are_told_from_other_text() {
        for good in ["", "/", "/a/b", "/a~0b/c~1d", "/0/x y", "/ä"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for (bad, word) in
            [("a", "begin"), ("$.a", "begin"), ("/a~", "`~0`"), ("/a~2b", "`~0`"), ("/a~~0", "`~0`")]
        {
            assert!(fault(bad).is_some_and(|fault| fault.contains(word)), "{bad}");
        }
        let document = serde_json::json!({ "a/b~c": 7 });
        assert_eq!(document.pointer(&format!("/{}", escape("a/b~c"))), Some(&serde_json::json!(7)));
    }
}
