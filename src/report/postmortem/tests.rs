//! The document, and what happens to it when it is generated again over what people wrote.

use proptest::prelude::*;

use super::*;
use crate::report::Naming;
use crate::report::incident::Record;
use crate::report::testing::{Hand, whole};

fn of(hand: &Hand) -> Record {
    hand.incident("INC-1", "10:00:00", Naming::Roles).unwrap()
}

/// The whole document of an incident: its parts in order, facts with their entries, prompts where people judge, and nobody's name.
#[test]
fn a_post_mortem() {
    insta::assert_snapshot!(document(&of(&whole())));
}

/// The thirteen parts are there, in the order in which they are read.
#[test]
fn the_parts_are_in_order() {
    let text = document(&of(&whole()));
    let headings: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("## ")?.split('.').next()).collect();
    let expected: Vec<String> = (2..=13).map(|number: u32| number.to_string()).collect();
    assert_eq!(headings, expected);
    assert!(text.contains("\n# INC-1: checkout is failing\n"), "the first part is the head");
}

/// What the text of a note says can end no region, and a document generated again without changes is the same.
#[test]
fn generating_again_changes_nothing() {
    let record = of(&whole());
    let text = document(&record);
    assert_eq!(regenerate(&text, &record).unwrap(), text);
    assert!(is_ours(&text) && !is_ours("# Notes\n<!-- mine -->\n"));
}

/// The facts of a journal that has gone on are in the document, and the old ones are not.
#[test]
fn facts_are_replaced() {
    let mut early = whole();
    early.0.truncate(20);
    let text =
        document(&of(&early)).replace("_Two or three sentences", "Our summary. _Two or three sentences");
    assert!(text.contains("It is not over."));
    let later = regenerate(&text, &of(&whole())).unwrap();
    assert!(!later.contains("It is not over.") && later.contains("Ended: 2.9.0 is gone"));
    assert!(later.contains("Our summary. _Two"));
}

/// The ends of lines that an editor has changed are no reason to lose anything.
#[test]
fn carriage_returns_are_kept() {
    let record = of(&whole());
    let text = document(&record).replace('\n', "\r\n");
    let again = regenerate(&text, &record).unwrap();
    assert!(again.contains("<!-- unship:begin summary -->\r\n_Two"));
    assert_eq!(regenerate(&again, &record).unwrap(), again);
}

/// A marker that is not as it has to be is told with its line, and nothing comes out.
#[test]
fn broken_markers_name_their_line() {
    let record = of(&whole());
    let text = document(&record);
    let line_of = |text: &str, what: &str| text.lines().position(|line| line == what).unwrap() + 1;
    let (begin, end) = ("<!-- unship:begin summary -->", "<!-- unship:end summary -->");
    let (at_begin, at_end) = (line_of(&text, begin), line_of(&text, end));
    let next = line_of(&text, "<!-- unship:begin facts:impact -->");
    let cases = [
        (
            text.replace(begin, "<!-- unship:beginn summary -->"),
            format!("line {at_begin}: `<!-- unship:beginn"),
            "is not a marker",
        ),
        (text.replace(begin, "<!--unship:begin summary-->"), format!("line {at_begin}: "), "is not a marker"),
        (text.replace(end, &format!("text {end}")), format!("line {at_end}: "), "is not a marker"),
        (text.replace(begin, ""), format!("line {at_end}: region `summary` ends and has not begun"), ""),
        (
            text.replace(end, ""),
            format!("line {next}: region `facts:impact` begins while `summary`, begun in line {at_begin}"),
            "",
        ),
        (
            text.replace(end, "<!-- unship:end impact -->"),
            format!("line {at_begin}: region `summary` begins and does not end"),
            "",
        ),
        (
            text.replace(begin, "<!-- unship:begin sumary -->"),
            format!("line {at_begin}: no region `sumary`"),
            "regions: facts:header, status, summary",
        ),
        (
            text.replace(begin, &format!("{begin}\n{end}\n{begin}")),
            format!("line {}: region `summary` began already in line {at_begin}", at_begin + 2),
            "",
        ),
        (
            text.replace(&format!("{begin}\n"), "").replace(&format!("{end}\n"), ""),
            format!(
                "after line {}: region `summary` is missing",
                line_of(&text, "<!-- unship:end status -->")
            ),
            "",
        ),
        (
            text.replacen("<!-- unship:post-mortem INC-1 -->\n", "", 1),
            "line 1: `<!-- unship:post-mortem INC-1 -->` is missing".to_owned(),
            "",
        ),
        (
            text.replace("post-mortem INC-1 -->", "post-mortem INC-7 -->"),
            "line 1: the document is about INC-7, not about INC-1".to_owned(),
            "",
        ),
        (
            format!("{text}<!-- unship:post-mortem INC-1 -->\n"),
            format!(
                "line {}: the document says which incident it is about already in line 1",
                text.lines().count() + 1
            ),
            "",
        ),
        (
            text.trim_end().strip_suffix("<!-- unship:end facts:evidence -->").unwrap().to_owned(),
            format!(
                "line {}: region `facts:evidence` begins and does not end",
                line_of(&text, "<!-- unship:begin facts:evidence -->")
            ),
            "",
        ),
    ];
    for (broken, beginning, holding) in cases {
        assert_ne!(broken, text, "{beginning}");
        let error = regenerate(&broken, &record).unwrap_err().to_string();
        assert!(error.starts_with(&beginning), "{error} does not begin with {beginning}");
        assert!(error.contains(holding), "{holding} is not in {error}");
    }
}

/// A text of people: lines of any letters, none of which looks like a marker.
fn human() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[ -~äöü€\t]{0,40}",
        Just("<!-- a comment of ours -->".to_owned()),
        Just("## Our heading".to_owned()),
        Just("```".to_owned()),
        Just("- unship:end summary".to_owned()),
        Just(String::new()),
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n")];
    let lines = proptest::collection::vec((line, end), 0..6);
    lines.prop_map(|lines| {
        let lines = lines.into_iter().filter(|(line, _)| !regions::is_marker(line));
        lines.fold(String::new(), |text, (line, end)| text + &line + end)
    })
}

/// A document as pieces: what belongs to people and what is generated, in turn. Read in another way than the document's own reader.
fn pieces(text: &str) -> (Vec<String>, Vec<String>) {
    let mut ours = vec![String::new()];
    let mut generated = Vec::new();
    for part in text.split("<!-- unship:begin facts:") {
        if ours.len() == 1 && ours[0].is_empty() {
            ours[0] = part.to_owned();
            continue;
        }
        let (inside, after) = part.split_once("<!-- unship:end facts:").unwrap();
        let (id, inside) = inside.split_once(" -->").unwrap();
        generated.push(format!("{id}{inside}"));
        ours.push(after.to_owned());
    }
    (ours, generated)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever people write, into their regions and between any two, it is there byte for byte after any number of generations from a
    /// journal that goes on, and the facts are those of the last one.
    #[test]
    fn what_people_wrote_survives(
        inside in proptest::collection::vec(human(), PARTS_OF_PEOPLE),
        between in proptest::collection::vec(human(), PARTS_OF_PEOPLE * 2 + 4),
        ends in proptest::collection::vec(7_usize..=41, 1..4),
    ) {
        let hand = whole();
        let mut early = hand.clone();
        early.0.truncate(ends[0]);
        let fresh = document(&of(&early));
        // People replace what is in their regions and write between all regions.
        let (mut texts, mut gaps) = (inside.iter(), between.iter());
        let mut written = String::new();
        let mut theirs = false;
        for line in fresh.split_inclusive('\n') {
            let begins = line.starts_with("<!-- unship:begin ") && !line.contains("facts:");
            let ends = line.starts_with("<!-- unship:end ");
            if ends {
                theirs = false;
            }
            if !theirs {
                written.push_str(line);
            }
            if begins {
                theirs = true;
                written.push_str(texts.next().unwrap());
            }
            if ends {
                written.push_str(gaps.next().map_or("", String::as_str));
            }
        }
        let (wanted, _) = pieces(&written);
        let mut text = written;
        for end in &ends {
            let mut now = hand.clone();
            now.0.truncate(*end);
            text = regenerate(&text, &of(&now)).unwrap();
            prop_assert_eq!(&regenerate(&text, &of(&now)).unwrap(), &text);
        }
        let (kept, generated) = pieces(&text);
        prop_assert_eq!(kept, wanted);
        let mut last = hand.clone();
        last.0.truncate(*ends.last().unwrap());
        let (_, expected) = pieces(&document(&of(&last)));
        prop_assert_eq!(generated, expected);
    }
}

/// How many regions people write.
const PARTS_OF_PEOPLE: usize = 9;
