//! What is no mistake and would still trip the person who works by it at night: lists without an end, steps of two, responses
//! without a value, windows with holes. The rules are those of checklists in cockpits and operating theatres.

use std::collections::BTreeMap;

use super::document::{Item, Kind, Offer, Runbook, Section, Window, WindowForm};
use super::problem::{Level, Problem};

/// The longest list without a pause.
const LONGEST_LIST: usize = 9;

/// All warnings of this kind.
pub(super) fn lint(runbook: &Runbook) -> Vec<Problem> {
    let mut lint = Lint { problems: Vec::new() };
    lint.lists(runbook);
    lint.items(runbook);
    lint.commands(runbook);
    lint.windows(runbook);
    lint.completion(runbook);
    lint.problems
}

struct Lint {
    problems: Vec<Problem>,
}

impl Lint {
    fn warn(&mut self, rule: &'static str, line: usize, text: impl Into<String>) {
        let text = text.into();
        self.problems.push(Problem { level: Level::Warning, rule, file: None, line, column: 1, text });
    }

    fn lists(&mut self, runbook: &Runbook) {
        let of_sections =
            runbook.sections.iter().map(|section| (section.line, section.pause, &section.items));
        let of_items = runbook.items.iter().map(|item| (item.line, false, &item.children));
        for (line, has_pause, list) in of_sections.chain(of_items) {
            let countable: Vec<&Item> =
                list.iter().map(|index| &runbook.items[*index]).filter(|item| item.countable).collect();
            if countable.len() > LONGEST_LIST && !has_pause {
                let text = format!(
                    "a list of {} items without a pause; split it where people stop anyway, 5 to 9 items each, or make it one \
                     with `.pause`",
                    countable.len()
                );
                self.warn("long-list", line, text);
            }
            let mut ordinary = None;
            for item in countable {
                match (item.critical, ordinary) {
                    (true, Some(before)) => {
                        let text = format!(
                            "a critical item comes after an ordinary one in line {before}; put it first"
                        );
                        self.warn("critical-not-first", item.line, text);
                        break;
                    }
                    (false, None) => ordinary = Some(item.line),
                    _ => {}
                }
            }
        }
    }

    fn items(&mut self, runbook: &Runbook) {
        for item in runbook.items.iter().filter(|item| item.countable) {
            let text = item.text.to_lowercase();
            if text.contains(" and then ") {
                self.warn(
                    "two-in-one",
                    item.line,
                    "two things in one item, joined by `and then`; make two items of it",
                );
            }
            // Bullets below it say what is to be found.
            let is_bare = item.children.is_empty() && item.bullets.is_empty();
            if item.kind == Kind::Manual && is_bare && only_says_check(&text) {
                let why = "it says to check and not what is found when all is well; write the value: `error rate is below 1%`";
                self.warn("no-desired-value", item.line, why);
            }
        }
    }

    fn commands(&mut self, runbook: &Runbook) {
        let bound = runbook
            .items
            .iter()
            .flat_map(|item| item.commands.iter().map(move |command| (Some(item), command)));
        for (item, command) in bound.chain(runbook.unbound.iter().map(|command| (None, command))) {
            if let Offer::Refused(why) = &command.offered {
                let text = format!("this cannot be run as it stands: {why}");
                self.warn("command-placeholder", command.line, text);
            }
            let does = item.is_some_and(|item| matches!(item.kind, Kind::Action { .. }));
            if let Some(instead) = like_an_action(&command.text)
                && !does
                && matches!(command.offered, Offer::Offered | Offer::Inspect | Offer::Refused(_))
            {
                let text =
                    format!("this is what the engine does with more care; say so on the item: `{instead}`");
                self.warn("fence-like-action", command.line, text);
            }
        }
    }

    fn windows(&mut self, runbook: &Runbook) {
        let mut before: BTreeMap<Option<usize>, &Section> = BTreeMap::new();
        for section in &runbook.sections {
            let Some(window) = section.window.as_ref().filter(|window| is_placed(window)) else { continue };
            if let Some(earlier) = before.insert(section.parent, section)
                && earlier.anchor == section.anchor
                && let Some(first) = &earlier.window
            {
                self.pair(first, window, section.line);
            }
        }
        for section in &runbook.sections {
            let Some(window) = &section.window else { continue };
            let mut outer = section.parent;
            while let Some(index) = outer {
                let parent = &runbook.sections[index];
                if let Some(around) = &parent.window {
                    if parent.anchor == section.anchor && !lies_in(window, around) {
                        let text = format!(
                            "the window `{}` reaches beyond `{}` of line {}, which it is in",
                            window.text, around.text, parent.line
                        );
                        self.warn("window-outside", section.line, text);
                    }
                    break;
                }
                outer = parent.parent;
            }
        }
        // Numbered groups, by the line where each window stands.
        let mut earlier: BTreeMap<usize, &Window> = BTreeMap::new();
        for item in &runbook.items {
            let Some(window) = item.window.as_ref().filter(|window| is_placed(window)) else { continue };
            if let Some(first) = earlier.insert(item.section, window)
                && first.line != window.line
            {
                self.pair(first, window, window.line);
            }
        }
    }

    /// Two windows that follow each other.
    fn pair(&mut self, first: &Window, second: &Window, line: usize) {
        let (one, two) = (&first.text, &second.text);
        // Before the moment counts down.
        let start = |window: &Window| window.from.as_secs_f64() - window.lead.as_secs_f64();
        if start(second) < start(first) {
            self.warn(
                "window-order",
                line,
                format!("the window `{two}` begins before `{one}`, which stands above it"),
            );
            return;
        }
        match first.until {
            Some(until) if start(second) > until.as_secs_f64() => {
                self.warn(
                    "window-gap",
                    line,
                    format!("between `{one}` and `{two}` there is time that belongs to no list"),
                );
            }
            Some(until) if start(second) < until.as_secs_f64() => {
                self.warn("window-overlap", line, format!("the windows `{one}` and `{two}` overlap"));
            }
            None if first.form == WindowForm::Open => {
                self.warn(
                    "window-overlap",
                    line,
                    format!("the window `{one}` has no end, so `{two}` overlaps it"),
                );
            }
            _ => {}
        }
    }

    /// The last list says what it is to be through.
    fn completion(&mut self, runbook: &Runbook) {
        let Some(last) = runbook.items.last() else { return };
        let section = &runbook.sections[last.section];
        let says = |text: &String| says_complete(&text.to_lowercase());
        let in_section = runbook.items.iter().filter(|item| item.section == last.section);
        let is_said = says(&section.title)
            || section.notes.iter().any(says)
            || in_section.clone().any(|item| says(&item.text) || item.notes.iter().any(says));
        if !is_said {
            let text = "nothing at the end says when it is complete; end with a line like `the incident is resolved`";
            self.warn("no-completion-line", last.line, text);
        }
    }
}

/// A window with a place in the order of things: neither a budget nor a deadline alone.
fn is_placed(window: &Window) -> bool {
    !matches!(window.form, WindowForm::Budget | WindowForm::Within)
}

fn lies_in(window: &Window, around: &Window) -> bool {
    let starts = around.lead >= window.lead && (around.from <= window.from || !window.lead.is_zero());
    let ends = match (window.until, around.until) {
        (_, None) => true,
        (Some(until), Some(end)) => until <= end,
        // A time without an end ends with what is around it.
        (None, Some(end)) => window.form == WindowForm::TPlus && window.from <= end,
    };
    starts && ends
}

/// `Check the dashboard`: nothing in it says what is to be found there.
fn only_says_check(text: &str) -> bool {
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '%' | '<' | '>' | '=')))
        .filter(|word| !word.is_empty())
        .collect();
    let begins =
        matches!(words.first(), Some(&("check" | "checks" | "checked" | "verify" | "verifies" | "verified")));
    let says_value = words.iter().skip(1).any(|word| {
        word.chars().any(|c| c.is_ascii_digit() || matches!(c, '%' | '<' | '>' | '='))
            || matches!(
                *word,
                "is" | "are"
                    | "was"
                    | "were"
                    | "has"
                    | "have"
                    | "can"
                    | "no"
                    | "not"
                    | "none"
                    | "below"
                    | "above"
                    | "under"
                    | "over"
                    | "within"
                    | "at"
                    | "least"
                    | "most"
                    | "that"
                    | "equals"
                    | "matches"
                    | "returns"
                    | "shows"
                    | "stays"
                    | "healthy"
                    | "green"
                    | "normal"
                    | "stable"
                    | "ok"
                    | "up"
                    | "down"
                    | "running"
                    | "ready"
                    | "passes"
                    | "pass"
                    | "works"
                    | "succeeds"
                    | "empty"
                    | "zero"
                    | "back"
                    | "if"
                    | "whether"
            )
    });
    begins && !says_value
}

fn says_complete(text: &str) -> bool {
    let words = [
        "complete",
        "completed",
        "resolved",
        "resolve",
        "closed",
        "close",
        "all clear",
        "finished",
        "done",
        "over",
        "end of",
        "wrapped up",
    ];
    words.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            is_apart(text[..at].chars().next_back()) && is_apart(text[at + word.len()..].chars().next())
        })
    })
}

/// What an item would say instead of a command that takes a release back by itself.
fn like_an_action(command: &str) -> Option<&'static str> {
    const BACK: &str = "do=\"rollback service=…\"";
    let known: [(&[&str], &str); 14] = [
        (&["kubectl", "rollout", "undo"], BACK),
        (&["kubectl", "argo", "rollouts", "undo"], BACK),
        (&["kubectl", "argo", "rollouts", "abort"], BACK),
        (&["kubectl", "argo", "rollouts", "promote"], "do=\"promote service=…\""),
        (&["helm", "rollback"], BACK),
        (&["argocd", "app", "rollback"], BACK),
        (&["heroku", "rollback"], BACK),
        (&["heroku", "releases:rollback"], BACK),
        (&["vercel", "rollback"], BACK),
        (&["cf", "rollback"], BACK),
        (&["docker", "service", "rollback"], BACK),
        (&["nomad", "job", "revert"], BACK),
        (&["az", "webapp", "deployment", "slot", "swap"], BACK),
        (&["aws", "ecs", "update-service", "--task-definition"], BACK),
    ];
    for line in command.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (wanted, instead) in known {
            // Options may stand between: `kubectl -n shop rollout undo`.
            let mut rest = words.iter().skip_while(|word| **word != wanted[0]);
            if wanted.iter().all(|wanted| rest.any(|word| word == wanted)) {
                return Some(instead);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check with what is to be found is fine; one without is not, and other verbs are left alone.
    #[test]
    fn a_check_says_what_it_finds() {
        for text in [
            "check the dashboard",
            "verify",
            "check logs",
            "verify health of checkout",
            "check cpu and memory",
        ] {
            assert!(only_says_check(text), "{text}");
        }
        for text in [
            "check that the error rate is low",
            "verify error rate < 1%",
            "check the queue is empty",
            "acknowledge the page",
            "checkout is healthy",
            "verify p99 below 300ms",
            "check replicas = 3",
        ] {
            assert!(!only_says_check(text), "{text}");
        }
    }

    /// A command that takes a release back is known whatever options stand in it.
    #[test]
    fn commands_that_roll_back_are_known() {
        for text in [
            "kubectl rollout undo deploy/checkout",
            "kubectl -n shop rollout undo deploy/checkout",
            "sudo helm rollback checkout 3",
            "cd x\nargocd app rollback checkout",
            "aws ecs update-service --cluster a --task-definition b:3",
        ] {
            assert!(like_an_action(text).is_some(), "{text}");
        }
        for text in [
            "kubectl rollout status deploy/checkout",
            "helm history checkout",
            "echo rollback",
            "git rollback",
        ] {
            assert_eq!(like_an_action(text), None, "{text}");
        }
    }

    /// The word that ends a list is a word of its own.
    #[test]
    fn completion_is_said() {
        assert!(says_complete("the incident is resolved") && says_complete("all clear is given"));
        assert!(
            !says_complete("unresolved") && !says_complete("overload") && !says_complete("tell the team")
        );
    }
}
