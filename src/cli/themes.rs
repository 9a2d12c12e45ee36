//! `unship themes`: which colour themes there are, what one looks like, and what is wrong with one.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use crossterm::style::{Attribute, Attributes, ContentStyle, StyledContent};
use ratatui::style::{Modifier, Style};
use serde_json::json;

use super::output::{print_json, table};
use super::{Exit, Global};
use crate::config::theme_dirs;
use crate::tui::theme::{self, Theme, ThemeError, Tone};

/// List the console's colour themes, show one, or check a file of your own.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the themes.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Action {
    /// Print their names, and where each is.
    List,
    /// Print every meaning in its colours, on a terminal; their names elsewhere.
    Show {
        /// The theme.
        name: String,
    },
    /// Say everything that is wrong with a theme file.
    Check {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs `unship themes`.
///
/// # Errors
///
/// If the answer cannot be written. A theme that cannot be used is an answer, with [`Exit::Usage`].
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let dirs = theme_dirs(&|name| std::env::var_os(name));
    match &args.action {
        Action::List => list(&dirs, global),
        Action::Show { name } => {
            // What can be used at all is told apart from what this terminal makes of it.
            if let Err(error) = theme::find(name, &dirs) {
                return refuse(&error, global);
            }
            let (theme, _) = theme::choose(name, &dirs, &|name| std::env::var_os(name));
            show(&theme, global)
        }
        Action::Check { file } => match theme::read(file, &dirs) {
            Ok(_) if global.json => {
                print_json(&json!({ "file": file, "ok": true, "problems": [] }))?;
                Ok(Exit::Fine)
            }
            Ok(_) => {
                writeln!(io::stdout().lock(), "{}: fine", file.display())?;
                Ok(Exit::Fine)
            }
            Err(error) => refuse(&error, global),
        },
    }
}

fn list(dirs: &[PathBuf], global: &Global) -> anyhow::Result<Exit> {
    let names = theme::names(dirs);
    let file = |name: &str| theme::file_of(name, dirs);
    if global.json {
        let themes: Vec<_> = names.iter().map(|name| json!({ "name": name, "file": file(name) })).collect();
        print_json(&json!({ "themes": themes, "folders": dirs }))?;
        return Ok(Exit::Fine);
    }
    let rows: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            let place = file(name).map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
            vec![name.clone(), place]
        })
        .collect();
    write!(io::stdout().lock(), "{}", table(&rows))?;
    Ok(Exit::Fine)
}

/// One line a tone: its name in its look, and what it means.
fn show(theme: &Theme, global: &Global) -> anyhow::Result<Exit> {
    if global.json {
        let tones: Vec<_> = Tone::ALL
            .iter()
            .map(|tone| {
                let Style { fg, bg, add_modifier, .. } = theme.style(*tone);
                let colour = |colour: Option<ratatui::style::Color>| colour.map(|colour| colour.to_string());
                let modifiers: Vec<String> =
                    add_modifier.iter_names().map(|(name, _)| name.to_lowercase()).collect();
                json!({ "tone": tone.key(), "fg": colour(fg), "bg": colour(bg), "modifiers": modifiers })
            })
            .collect();
        print_json(&json!({ "name": theme.name(), "tones": tones }))?;
        return Ok(Exit::Fine);
    }
    let styled = io::stdout().is_terminal();
    let mut out = io::stdout().lock();
    for tone in Tone::ALL {
        let name = format!(" {:<10}", tone.key());
        if styled {
            write!(out, "{}", sample(name, theme.style(*tone)))?;
        } else {
            write!(out, "{name}")?;
        }
        writeln!(out, " {}", tone.meaning())?;
    }
    Ok(Exit::Fine)
}

/// A text in a style, for the terminal.
fn sample(text: String, style: Style) -> StyledContent<String> {
    let mut attributes = Attributes::default();
    for (modifier, attribute) in [
        (Modifier::BOLD, Attribute::Bold),
        (Modifier::DIM, Attribute::Dim),
        (Modifier::ITALIC, Attribute::Italic),
        (Modifier::UNDERLINED, Attribute::Underlined),
        (Modifier::REVERSED, Attribute::Reverse),
    ] {
        if style.add_modifier.contains(modifier) {
            attributes.set(attribute);
        }
    }
    let content = ContentStyle {
        foreground_color: style.fg.map(terminal_colour),
        background_color: style.bg.map(terminal_colour),
        underline_color: None,
        attributes,
    };
    content.apply(text)
}

/// ratatui's colour in crossterm's words.
fn terminal_colour(colour: ratatui::style::Color) -> crossterm::style::Color {
    use ratatui::backend::IntoCrossterm as _;
    colour.into_crossterm()
}

fn refuse(error: &ThemeError, global: &Global) -> anyhow::Result<Exit> {
    if global.json {
        let problems = match error {
            ThemeError::Problems(problems) => serde_json::to_value(problems)?,
            other => json!([{ "message": other.to_string() }]),
        };
        print_json(&json!({ "ok": false, "problems": problems }))?;
    } else {
        writeln!(io::stderr().lock(), "{error}")?;
    }
    Ok(Exit::Usage)
}
