//! `unship version`: the next version of what is in a Git repository, and its tag.
//!
//! Versions are those of [Semantic Versioning 2.0.0](https://semver.org/); the build metadata are the commit's day and its
//! short hash, so that the same commit always has the same version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use semver::{BuildMetadata, Prerelease, Version};
use serde_json::json;

use super::output::{note, out, print_json};
use super::{Exit, Global};

/// Name the next version by the tags of a Git repository, or tag it.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Ask,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Ask {
    /// Print the version that comes next.
    Next {
        #[command(flatten)]
        step: Step,
        /// Without build metadata, where a `+` is not allowed, as in the tags of images.
        #[arg(long)]
        plain: bool,
    },
    /// Tag the present commit with the version that comes next. Nothing is pushed.
    Tag {
        #[command(flatten)]
        step: Step,
        /// The tag's message. Without it: the version with its build metadata.
        #[arg(long)]
        message: Option<String>,
    },
}

#[derive(clap::Args, Clone, Debug)]
struct Step {
    /// Which part grows.
    #[arg(value_enum, default_value = "patch")]
    part: Part,
    /// A version before that one: `rc` makes `1.3.0-rc.1`, then `1.3.0-rc.2`.
    #[arg(long, value_name = "WORD")]
    pre: Option<String>,
    /// What tags begin with.
    #[arg(long, default_value = "v", value_name = "TEXT")]
    prefix: String,
    /// The repository.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
}

/// A part of a version.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// What was there before may not work any more.
    Major,
    /// Something new.
    Minor,
    /// Something mended.
    Patch,
}

/// Exit codes: 0 done, 1 there is no repository or Git fails, 5 refused: changes that are not committed, or a commit that has a
/// version already.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    match &args.command {
        Ask::Next { step, plain } => {
            let (before, next) = next_in(step)?;
            let shown =
                if *plain { Version { build: BuildMetadata::EMPTY, ..next.clone() } } else { next.clone() };
            if global.json {
                print_json(&json!({
                    "before": before.map(|before| before.to_string()),
                    "next": shown.to_string(),
                    "tag": tag_of(step, &next),
                }))?;
            } else {
                out!("{shown}");
            }
            Ok(Exit::Fine)
        }
        Ask::Tag { step, message } => tag(step, message.as_deref(), global),
    }
}

fn tag(step: &Step, message: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
    let dir = step.dir.as_path();
    let changes = git(dir, &["status", "--porcelain"])?;
    if let Some(first) = changes.lines().next() {
        note!("refused: there are changes that are not committed, like `{}`", first.trim());
        return Ok(Exit::Refused);
    }
    let here = git(dir, &["tag", "--points-at", "HEAD"])?;
    if let Some(known) = here.lines().find(|tag| parse(&step.prefix, tag).is_some()) {
        note!("refused: this commit is `{known}` already");
        return Ok(Exit::Refused);
    }
    let (_, next) = next_in(step)?;
    let name = tag_of(step, &next);
    let version = next.to_string();
    git(dir, &["tag", "--annotate", &name, "--message", message.unwrap_or(&version)])?;
    if global.json {
        print_json(&json!({ "tag": name, "version": version }))?;
    } else {
        out!("{name}");
        note!("{version}; push it with `git push origin {name}`");
    }
    Ok(Exit::Fine)
}

/// A tag without build metadata: they say what the commit says.
fn tag_of(step: &Step, version: &Version) -> String {
    format!("{}{}", step.prefix, Version { build: BuildMetadata::EMPTY, ..version.clone() })
}

/// The newest version that the repository has, and the one that comes after it here.
fn next_in(step: &Step) -> anyhow::Result<(Option<Version>, Version)> {
    let dir = step.dir.as_path();
    let tags = git(dir, &["tag", "--list"])?;
    let known: Vec<Version> = tags.lines().filter_map(|tag| parse(&step.prefix, tag)).collect();
    let commit =
        git(dir, &["show", "--no-patch", "--format=%cd %h", "--date=format:%Y%m%d", "--abbrev=12", "HEAD"])?;
    let mut next = after(&known, step.part, step.pre.as_deref())?;
    next.build =
        BuildMetadata::new(&commit.trim().replace(' ', ".")).context("Git names the commit oddly")?;
    Ok((known.into_iter().max(), next))
}

/// The version of a tag, if it is one of a version.
fn parse(prefix: &str, tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix(prefix)?).ok()
}

/// What comes after these versions. A version before a release counts up for as long as that release is not there.
fn after(known: &[Version], part: Part, pre: Option<&str>) -> anyhow::Result<Version> {
    let released = known.iter().filter(|version| version.pre.is_empty()).max();
    let mut next = released.cloned().unwrap_or_else(|| Version::new(0, 0, 0));
    next.build = BuildMetadata::EMPTY;
    match part {
        Part::Major => next = Version::new(next.major + 1, 0, 0),
        Part::Minor => next = Version::new(next.major, next.minor + 1, 0),
        Part::Patch => next = Version::new(next.major, next.minor, next.patch + 1),
    }
    let Some(word) = pre else { return Ok(next) };
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        bail!("`{word}` cannot stand in a version: use letters, digits and `-`");
    }
    let same = |version: &&Version| {
        (version.major, version.minor, version.patch) == (next.major, next.minor, next.patch)
    };
    let numbers = known.iter().filter(same).filter_map(|version| {
        version.pre.as_str().strip_prefix(word)?.strip_prefix('.')?.parse::<u64>().ok()
    });
    let number = numbers.max().unwrap_or(0) + 1;
    next.pre = Prerelease::new(&format!("{word}.{number}"))?;
    Ok(next)
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").arg("-C").arg(dir).args(arguments).output();
    let output = output.context("`git` cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`git {}`: {}", arguments.first().copied().unwrap_or_default(), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| Version::parse(text).unwrap()).collect()
    }

    /// What comes after what is there: by number and not by letter, and past what comes before a release.
    #[test]
    fn what_comes_next() {
        let known = versions(&["1.9.0", "1.10.2", "2.0.0-rc.1", "2.0.0-rc.9", "1.10.3-beta.4"]);
        let of = |part, pre| after(&known, part, pre).unwrap().to_string();
        assert_eq!(of(Part::Patch, None), "1.10.3");
        assert_eq!(of(Part::Minor, None), "1.11.0");
        assert_eq!(of(Part::Major, None), "2.0.0");
        assert_eq!(of(Part::Major, Some("rc")), "2.0.0-rc.10");
        assert_eq!(of(Part::Patch, Some("rc")), "1.10.3-rc.1");
        assert_eq!(after(&[], Part::Minor, None).unwrap().to_string(), "0.1.0");
        assert!(after(&known, Part::Patch, Some("r c")).is_err());
    }

    /// In a repository: tagged once, refused where nothing is new or something is not committed.
    #[test]
    fn in_a_repository() {
        let dir = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| git(dir.path(), arguments).unwrap();
        run(&["init", "--quiet"]);
        run(&["config", "user.name", "ana"]);
        run(&["config", "user.email", "ana@example.com"]);
        run(&["config", "tag.gpgsign", "false"]);
        run(&["config", "commit.gpgsign", "false"]);
        run(&["commit", "--quiet", "--allow-empty", "--message", "one"]);
        let step = |part| Step { part, pre: None, prefix: "v".to_owned(), dir: dir.path().to_owned() };
        let global = Global { json: true, ..Global::default() };
        let (before, next) = next_in(&step(Part::Minor)).unwrap();
        assert_eq!((before, next.major, next.minor), (None, 0, 1));
        assert_eq!(next.build.as_str().split('.').map(str::len).collect::<Vec<_>>(), [8, 12], "{next}");
        assert_eq!(tag(&step(Part::Minor), None, &global).unwrap(), Exit::Fine);
        assert_eq!(run(&["tag", "--list"]).trim(), "v0.1.0");
        assert_eq!(tag(&step(Part::Minor), None, &global).unwrap(), Exit::Refused);
        run(&["commit", "--quiet", "--allow-empty", "--message", "two"]);
        std::fs::write(dir.path().join("new"), "x").unwrap();
        assert_eq!(tag(&step(Part::Patch), None, &global).unwrap(), Exit::Refused);
        std::fs::remove_file(dir.path().join("new")).unwrap();
        assert_eq!(next_in(&step(Part::Patch)).unwrap().1.patch, 1);
        assert!(next_in(&Step { dir: dir.path().join("nowhere"), ..step(Part::Patch) }).is_err());
    }
}
