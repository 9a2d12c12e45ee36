//! Fences as commands: what is a prompt, what is output, and whether it can be run as it stands.

use std::collections::BTreeSet;

use super::attributes::{Attribute, braces};
use super::document::{Command, Offer};

/// Languages of a shell.
const SHELLS: [&str; 5] = ["sh", "shell", "bash", "zsh", "console"];
/// What every shell has, so that it is no gap to fill in.
const ALWAYS_SET: [&str; 14] = [
    "HOME", "USER", "LOGNAME", "PATH", "PWD", "OLDPWD", "SHELL", "HOSTNAME", "TMPDIR", "RANDOM", "SECONDS",
    "IFS", "LANG", "EDITOR",
];

/// A fence, with the attributes in its info string that are none of a fence.
pub(super) fn command(info: &str, text: &str, line: usize) -> (Command, Vec<(usize, Attribute)>) {
    let info = info.trim();
    let start = info.find('{').filter(|start| info[..*start].ends_with(char::is_whitespace) || *start == 0);
    let attributes = start.and_then(|start| braces(&info[start..])).unwrap_or_default();
    let is_note = attributes.iter().any(|(_, attribute)| *attribute == Attribute::Flag("note".to_owned()));
    let odd = attributes.into_iter().filter(|(_, attribute)| attribute.name() != "note").collect();
    let word = info.split(|c: char| c.is_whitespace() || matches!(c, ',' | '{')).next().unwrap_or_default();
    let language = (!word.is_empty()).then(|| word.to_lowercase());
    let is_shell = language.as_deref().is_some_and(|language| SHELLS.contains(&language));
    let text = if is_shell { commands(text, language.as_deref()) } else { text.trim_end().to_owned() };
    let offered = match &language {
        None if !is_note => Offer::Inspect,
        Some(_) if is_shell && !is_note => gap(&text).map_or(Offer::Offered, Offer::Refused),
        _ => Offer::Never,
    };
    (Command { language, text, line, offered }, odd)
}

/// The lines behind prompts, where there are prompts; else all of them.
fn commands(text: &str, language: Option<&str>) -> String {
    let has_prompt = |root: bool| text.lines().any(|line| behind_prompt(line, root).is_some());
    // `# ` is a comment wherever it can be one.
    let root = language == Some("console") && !has_prompt(false);
    if !has_prompt(root) {
        return text.trim_end().to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut goes_on = false;
    let mut here_document: Option<String> = None;
    for line in text.lines() {
        if let Some(end) = &here_document {
            kept.push(line);
            if line.trim_start_matches('\t') == end {
                here_document = None;
            }
            continue;
        }
        let command = match behind_prompt(line, root) {
            Some(command) => command,
            None if goes_on => line.strip_prefix("> ").unwrap_or(line),
            None => continue,
        };
        kept.push(command);
        goes_on = command.ends_with('\\') && !command.ends_with("\\\\");
        here_document = here_document_end(command);
    }
    kept.join("\n").trim_end().to_owned()
}

/// What stands behind `$ `, `% `, `user@host:~$ ` or, where that is a prompt, `# `.
fn behind_prompt(line: &str, root: bool) -> Option<&str> {
    let line = line.trim_start();
    for prompt in ["$ ", "% "] {
        if let Some(command) = line.strip_prefix(prompt) {
            return Some(command);
        }
    }
    if let Some(command) = line.strip_prefix("# ")
        && root
    {
        return Some(command);
    }
    // `ops@db1:~$ ` and `[root@db1 ~]# `.
    let at = line.find(['$', '#', '%'])?;
    let (before, command) = (&line[..at], line[at + 1..].strip_prefix(' ')?);
    let bracketed = before.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let host = bracketed.unwrap_or(before);
    let (user, place) = host.split_once('@')?;
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let is_place = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '-' | '_' | '.' | ':' | '~' | '/')
            || (bracketed.is_some() && c == ' ')
    };
    (!user.is_empty() && is_name(user) && place.chars().all(is_place)).then_some(command)
}

/// The word that ends a here-document that a command begins.
fn here_document_end(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<")?;
    if rest.starts_with('<') {
        return None;
    }
    let rest = rest.trim_start_matches('-').trim_start().trim_start_matches(['\'', '"']);
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// What has to be filled in before it can be run.
fn gap(text: &str) -> Option<String> {
    if let Some(placeholder) = placeholder(text) {
        return Some(format!("fill in `{placeholder}`"));
    }
    if text.contains("...") || text.contains('…') {
        return Some("fill in what `...` stands for".to_owned());
    }
    let unset = unset(text)?;
    Some(format!("set `${unset}` in it"))
}

/// `<like this>`, but no redirection and no here-document.
fn placeholder(text: &str) -> Option<&str> {
    let mut from = 0;
    while let Some(open) = text[from..].find('<').map(|open| from + open) {
        from = open + 1;
        let Some(length) = text[from..].find(['>', '<', '\n']) else { continue };
        let inner = &text[from..from + length];
        let is_closed = text[from + length..].starts_with('>');
        let is_words = inner.starts_with(char::is_alphabetic)
            && inner.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | ')' | '*'))
            && inner.chars().all(|c| c.is_alphanumeric() || " _-./:|,()'*".contains(c));
        if is_closed && is_words && !text[..open].ends_with('<') {
            return Some(&text[open..=from + length]);
        }
    }
    None
}

/// The first variable that is used and never set in the text.
fn unset(text: &str) -> Option<String> {
    let set = assigned(text);
    let bytes = text.as_bytes();
    let (mut at, mut is_single, mut is_double) = (0, false, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !is_single => at += 1,
            b'\'' if !is_double => is_single = !is_single,
            b'"' if !is_single => is_double = !is_double,
            // An apostrophe in a comment opens nothing.
            b'#' if !is_single && !is_double && (at == 0 || bytes[at - 1].is_ascii_whitespace()) => {
                at = text[at..].find('\n').map_or(bytes.len(), |length| at + length);
            }
            b'$' if !is_single => {
                let rest = &text[at + 1..];
                let (inner, is_braced) = match rest.strip_prefix('{') {
                    Some(inner) => (inner.trim_start_matches(['!', '#']), true),
                    None => (rest, false),
                };
                let end =
                    inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
                let name = &inner[..end];
                // `${X:-default}` says itself what it is without.
                let has_default = is_braced
                    && [":-", "-", ":=", "=", ":+", "+"].iter().any(|sign| inner[end..].starts_with(sign));
                let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if is_name && !has_default && !set.contains(name) && !ALWAYS_SET.contains(&name) {
                    return Some(name.to_owned());
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The variables that a text sets: `X=1`, `export X=1`, `for x in`, `read -r x`.
fn assigned(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '(' | '&' | '|')).collect();
    for (index, word) in words.iter().enumerate() {
        if let Some((name, _)) = word.split_once('=') {
            let name = name.strip_suffix('+').unwrap_or(name);
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                names.insert(name);
            }
        }
        if matches!(*word, "for" | "select") {
            names.extend(words.get(index + 1).copied());
        }
        if matches!(*word, "read" | "mapfile" | "readarray" | "getopts") {
            names.extend(words[index + 1..].iter().take(8).filter(|word| !word.starts_with('-')).copied());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(info: &str, text: &str) -> Offer {
        command(info, text, 1).0.offered
    }

    /// Only a fence for a shell is offered; one without a language is shown; any other is never offered.
    #[test]
    fn languages_decide() {
        for info in [
            "sh",
            "shell",
            "bash",
            "zsh",
            "console",
            "Bash",
            "bash title=\"x\"",
            "sh,ignore",
            "bash{1,3}",
            "bash {1,3}",
        ] {
            assert_eq!(offer(info, "ls\n"), Offer::Offered, "{info}");
        }
        for info in
            ["text", "json", "yaml", "promql", "sql", "rb", "python", "mermaid", "bash {.note}", "{.note}"]
        {
            assert_eq!(offer(info, "ls\n"), Offer::Never, "{info}");
        }
        for info in ["", "  ", "{1,3}"] {
            assert_eq!(offer(info, "ls\n"), Offer::Inspect, "{info}");
        }
        let (command, odd) = command("bash {#id .note}", "ls\n", 4);
        assert_eq!((command.language.as_deref(), command.line), (Some("bash"), 4));
        assert_eq!(odd, [(1, Attribute::Id("id".to_owned()))]);
    }

    /// A command that cannot be run as it stands says what is missing.
    #[test]
    fn gaps_are_refused() {
        for (text, gap) in [
            ("kubectl logs <pod>", "fill in `<pod>`"),
            ("kubectl -n <your namespace> get pods", "fill in `<your namespace>`"),
            ("kubectl ... get pods", "fill in what `...` stands for"),
            ("kubectl -n $NAMESPACE get pods", "set `$NAMESPACE` in it"),
            ("echo \"${POD}\"", "set `$POD` in it"),
            ("# don't forget\necho $POD", "set `$POD` in it"),
        ] {
            assert_eq!(offer("sh", text), Offer::Refused(gap.to_owned()), "{text}");
        }
        for text in [
            "NAMESPACE=shop\nkubectl -n $NAMESPACE get pods",
            "export POD=$(kubectl get pods -o name | head -1); kubectl logs \"$POD\"",
            "for pod in a b; do kubectl logs $pod; done",
            "read -r pod && kubectl logs $pod",
            "awk '{print $NF}' file",
            "echo \\$X $? $1 $$ $HOME ${X:-none} $(date)",
            "cat <in >out",
            "cat <<EOF\nx\nEOF",
            "cat <<EOF>file\nx\nEOF",
            "test 1 -lt 2 && a > b",
            "kubectl get pods -o go-template='{{.items}}'",
            "echo {1..5}",
        ] {
            assert_eq!(offer("sh", text), Offer::Offered, "{text}");
        }
    }

    /// What is copied is what was typed: no prompt and no output.
    #[test]
    fn prompts_and_output_are_cut_off() {
        for (info, text, expected) in [
            ("console", "$ kubectl get pods\nNAME READY\ncart 1/1\n$ date\nMon\n", "kubectl get pods\ndate"),
            ("sh", "$ ls \\\n  -l \\\n> -a\nout\n", "ls \\\n  -l \\\n-a"),
            ("console", "# systemctl restart x\nok\n", "systemctl restart x"),
            ("console", "# list them\n$ ls\nout\n", "ls"),
            ("bash", "# list them\nls\n", "# list them\nls"),
            ("console", "ops@db1:~$ ls\nout\n", "ls"),
            ("console", "[root@db1 ~]# ls\nout\n", "ls"),
            ("bash", "$ cat <<EOF\na\nEOF\nout\n", "cat <<EOF\na\nEOF"),
            ("bash", "git log a@b: # comment\n", "git log a@b: # comment"),
            ("text", "$ as it is\n", "$ as it is"),
        ] {
            assert_eq!(command(info, text, 1).0.text, expected, "{text}");
        }
    }
}
