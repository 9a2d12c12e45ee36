//! What the parser makes of what terminals send, and of what none would send.

use proptest::prelude::*;

use super::*;

/// `C-`, `A-` and `S-` for the modifiers. crossterm's own names differ from system to system.
fn shown(event: &Event) -> String {
    match event {
        Event::Key(key) => {
            let repeat = if key.kind == KeyEventKind::Repeat { "repeat " } else { "" };
            let held =
                [(KeyModifiers::CONTROL, "C-"), (KeyModifiers::ALT, "A-"), (KeyModifiers::SHIFT, "S-")];
            let held = held.map(|(modifier, name)| if key.modifiers.contains(modifier) { name } else { "" });
            match key.code {
                KeyCode::Char(c) => format!("{repeat}{}{c}", held.concat()),
                code => format!("{repeat}{}{code:?}", held.concat()),
            }
        }
        Event::Paste(text) => format!("paste {text:?}"),
        Event::Mouse(mouse) => format!("{:?} {} {}", mouse.kind, mouse.column, mouse.row),
        other => format!("{other:?}"),
    }
}

/// All events of these bytes, with a silence after the last.
fn events(bytes: &[u8]) -> Vec<String> {
    let mut parser = Parser::new();
    parser.feed(bytes);
    if parser.patience().is_some() {
        parser.give_up();
    }
    assert_eq!(parser.patience(), None);
    std::iter::from_fn(|| parser.pop()).map(|event| shown(&event)).collect()
}

/// Keys arrive under their names, in every form that a terminal has for them.
#[test]
fn keys_have_their_names() {
    let cases: &[(&[u8], &[&str])] = &[
        (b"j", &["j"]),
        (b"R", &["S-R"]),
        ("é日🦀".as_bytes(), &["é", "日", "🦀"]),
        (b"\r\t\x7f", &["Enter", "Tab", "Backspace"]),
        (b"\n", &["C-j"]),
        (b"\x03\x1a\x00\x1c", &["C-c", "C-z", "C- ", "C-4"]),
        (b"\x1b", &["Esc"]),
        (b"\x1b\x1b", &["Esc", "Esc"]),
        (b"\x1bx", &["A-x"]),
        (b"\x1b\x01", &["C-A-a"]),
        ("\x1bé".as_bytes(), &["A-é"]),
        (b"\x1b[A\x1b[B\x1b[C\x1b[D", &["Up", "Down", "Right", "Left"]),
        (b"\x1bOA\x1bOP\x1bOM\x1bOn", &["Up", "F(1)", "Enter", "."]),
        (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~", &["Home", "End", "Home", "End", "Home", "End"]),
        (b"\x1b[2~\x1b[3~\x1b[5~\x1b[6~", &["Insert", "Delete", "PageUp", "PageDown"]),
        (b"\x1b[15~\x1b[17~\x1b[24~\x1b[34~", &["F(5)", "F(6)", "F(12)", "F(20)"]),
        (b"\x1b[[A\x1b[[E", &["F(1)", "F(5)"]),
        (b"\x1b[Z\x1b[9;2u", &["S-BackTab", "S-BackTab"]),
        (b"\x1b[1;5C\x1b[1;2A\x1b[3;5~\x1b[1;5R", &["C-Right", "S-Up", "C-Delete", "C-F(3)"]),
        (b"\x1b[27u\x1b[99;5u\x1b[97;2u", &["Esc", "C-c", "S-A"]),
        (b"\x1b[27;5;13~", &["C-Enter"]),
        // A held key repeats; letting it go is no key.
        (b"\x1b[97;1:2u\x1b[97;1:3u", &["repeat a"]),
        // Typed, not the beginning of something.
        (b"\x1b[", &["A-["]),
        (b"\x1bO", &["A-S-O"]),
        (b"\x1b]", &["A-]"]),
    ];
    for (bytes, names) in cases {
        assert_eq!(events(bytes), *names, "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// A paste is one event, whatever is in it, and keys after it are keys again.
#[test]
fn a_paste_is_one_event() {
    assert_eq!(events(b"\x1b[200~checkout\ry\x1b[201~q"), ["paste \"checkout\\ry\"", "q"]);
    assert_eq!(events(b"\x1b[200~a\x1b[20\x1b[A\x1b\x1b[201~"), ["paste \"a\\u{1b}[20\\u{1b}[A\\u{1b}\""]);
    assert_eq!(events(b"\x1b[200~\xff\x1b[201~"), ["paste \"\u{fffd}\""]);
    // Never ended: the silence after it ends it.
    assert_eq!(events(b"\x1b[200~abc\x1b[20"), ["paste \"abc\""]);
}

/// A paste of any length takes a bounded memory.
#[test]
fn a_long_paste_is_cut() {
    let mut parser = Parser::new();
    parser.feed(b"\x1b[200~");
    for _ in 0..1_000 {
        parser.feed(&[b'x'; 1_000]);
        assert!(parser.buffer.len() <= LONGEST_PASTE);
    }
    parser.feed(PASTE_END);
    assert!(matches!(parser.pop(), Some(Event::Paste(text)) if text.len() == LONGEST_PASTE));
    parser.feed(b"j");
    assert_eq!(parser.pop().as_ref().map(shown).as_deref(), Some("j"));
}

/// The mouse, when it is on, counts from the upper left corner, from zero.
#[test]
fn the_mouse_is_understood() {
    assert_eq!(
        events(b"\x1b[<0;1;1M\x1b[<0;1;1m\x1b[<32;5;6M\x1b[<64;10;20M\x1b[<65;10;20M\x1b[<35;3;3M"),
        ["Down(Left) 0 0", "Up(Left) 0 0", "Drag(Left) 4 5", "ScrollUp 9 19", "ScrollDown 9 19", "Moved 2 2"]
    );
    // Out of any range, in the old form, or broken.
    assert!(events(b"\x1b[<0;99999;1M\x1b[M !!\x1b[<;;M\x1b[<0;1M\x1b[<0;1;1X").is_empty());
}

/// Answers of the terminal, and sequences that nobody knows, are no keys; the key after them is.
#[test]
fn what_is_not_a_key_is_dropped() {
    let cases: &[&[u8]] = &[
        b"\x1b[?62;22c",
        b"\x1b[?2026;2$y",
        b"\x1b[12;40R",
        b"\x1b[I\x1b[O",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]52;c;aGVsbG8=\x07",
        b"\x1bP1+r544e\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b[999999999999999999999~",
        b"\x1b[>1;2;3z",
        b"\x80\xbf\xff\xfe",
        b"\xe6\x97",
        b"\xed\xa0\x80",
        b"\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1A",
        b"\x1b[57441u",
    ];
    for case in cases {
        let mut bytes = case.to_vec();
        bytes.push(b'j');
        assert_eq!(events(&bytes), ["j"], "{:?}", String::from_utf8_lossy(case));
    }
}

proptest! {
    /// Where a slow line cuts the bytes does not matter, and no bytes whatsoever are too much for it.
    #[test]
    fn cuts_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()) {
        let at = at.index(bytes.len() + 1);
        let mut cut = Parser::new();
        cut.feed(&bytes[..at]);
        cut.feed(&bytes[at..]);
        if cut.patience().is_some() {
            cut.give_up();
        }
        let cut: Vec<_> = std::iter::from_fn(|| cut.pop()).map(|event| shown(&event)).collect();
        prop_assert_eq!(events(&bytes), cut);
    }

    /// The same, with bytes that are mostly escape sequences.
    #[test]
    fn broken_escapes_do_no_harm(
        parts in prop::collection::vec(
            prop_oneof![
                Just("\x1b".to_owned()), Just("\x1b[".to_owned()), Just("\x1b]".to_owned()), Just("\x1bO".to_owned()),
                Just("\x1b[200~".to_owned()), Just("\x1b[201~".to_owned()), Just("\x1b[<".to_owned()),
                "[0-9;:<>?]{0,80}", "[a-zA-Z~]", "\\PC",
            ],
            0..60,
        ),
    ) {
        let mut parser = Parser::new();
        for part in &parts {
            parser.feed(part.as_bytes());
            prop_assert!(parser.buffer.len() <= LONGEST_PASTE);
        }
        parser.give_up();
        prop_assert_eq!(parser.patience(), None);
    }
}
