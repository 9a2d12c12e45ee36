//! `unship init`: looks at what is here and writes a config to begin with.

use std::path::{Path, PathBuf};

use super::output::{note, out};
use super::{Exit, Global};
use crate::config::scaffold::{self, Found, Place};

/// Look at what is here, and write a config to begin with.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The folder to look at.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// The platform to write it for. Without it: the one that most is known of.
    #[arg(long, value_name = "KIND")]
    platform: Option<String>,
    /// Print it, and write nothing.
    #[arg(long)]
    stdout: bool,
}

/// Exit codes: 0 it was written, 2 there is one already or the platform is unknown.
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let found = look(&args.dir);
    let place = match &args.platform {
        None => found.places.first().cloned().unwrap_or(Place::Command),
        Some(kind) => {
            let known = found.places.iter().find(|place| place.kind() == kind).cloned();
            match known.or_else(|| Place::bare(kind)) {
                Some(place) => place,
                None => {
                    note!("no platform `{kind}`; platforms: {}", scaffold::KINDS.join(", "));
                    return Ok(Exit::Usage);
                }
            }
        }
    };
    let text = scaffold::render(&found, &place);
    if args.stdout {
        out!("{}", text.trim_end());
        return Ok(Exit::Fine);
    }
    let file = &global.config;
    // One that is there is somebody's work.
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = match made {
        Ok(made) => made,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            note!(
                "`{}` is there already, and was left as it is; `--stdout` prints a new one",
                file.display()
            );
            return Ok(Exit::Usage);
        }
        Err(error) => return Err(anyhow::anyhow!("`{}` cannot be written: {error}", file.display())),
    };
    std::io::Write::write_all(&mut made, text.as_bytes())?;
    out!("wrote {} for {}", file.display(), place.kind());
    for sign in &found.signs {
        out!("  found {sign}");
    }
    let others: Vec<_> = found.places.iter().map(Place::kind).filter(|kind| *kind != place.kind()).collect();
    if !others.is_empty() {
        out!("  it could also be written for {}: `unship init --platform {}`", others.join(", "), others[0]);
    }
    out!("next: fill in what is marked with `FIXME`, then `unship config check` and `unship platform check`");
    Ok(Exit::Fine)
}

/// Reads the files and variables that tell where the service runs. What cannot be read is not there.
fn look(dir: &Path) -> Found {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let here = |name: &str| read(&dir.join(name));
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let home = variable("HOME").map(PathBuf::from);
    let at_home = |name: &str| home.as_ref().and_then(|home| read(&home.join(name)));
    let name = dir.canonicalize().ok().and_then(|dir| Some(dir.file_name()?.to_string_lossy().into_owned()));
    let mut found = Found::new(name.as_deref().unwrap_or("service"));
    if here("netlify.toml").is_some() || dir.join(".netlify").is_dir() {
        found.netlify(here(".netlify/state.json").as_deref());
    }
    if here("railway.json").is_some() || here("railway.toml").is_some() {
        found.railway();
    }
    let compose = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
    if let Some((file, text)) = compose.into_iter().find_map(|file| Some((file, here(file)?))) {
        found.compose(file, &text);
    }
    let kubeconfig = variable("KUBECONFIG")
        .and_then(|files| read(Path::new(files.split(':').next()?)))
        .or_else(|| at_home(".kube/config"));
    if let Some(text) = kubeconfig {
        found.kubernetes(&text);
    }
    if let Ok(entries) = std::fs::read_dir(dir.join(".github/workflows")) {
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<_> =
            names.filter(|name| matches!(name.rsplit_once('.'), Some((_, "yml" | "yaml")))).collect();
        names.sort();
        found.github(&names, here(".git/config").as_deref());
    }
    if variable("AZURE_SUBSCRIPTION_ID").is_some() || variable("AZURE_CLIENT_ID").is_some() {
        found.azure(variable("AZURE_SUBSCRIPTION_ID").as_deref());
    }
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let profile = variable("AWS_PROFILE");
    if region.is_some() || profile.is_some() || at_home(".aws/config").is_some() {
        found.aws(region.as_deref(), profile.as_deref());
    }
    if here("nginx.conf").is_some() || Path::new("/etc/nginx/nginx.conf").is_file() {
        found.nginx();
    }
    found
}
