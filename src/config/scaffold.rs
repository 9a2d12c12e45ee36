//! A config to begin with, from what was found where the service lives. It is whole and passes the check; what nobody could know
//! is marked with `FIXME`.

use std::fmt::Write as _;

/// The platforms that a config can be begun for.
pub const KINDS: [&str; 9] = [
    "netlify",
    "railway",
    "docker",
    "kubernetes",
    "github-actions",
    "azure-app-service",
    "aws-ecs",
    "nginx",
    "command",
];

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What the service is called, as a config may name it.
    pub name: String,
    /// Where it may run, the likeliest first.
    pub places: Vec<Place>,
    /// What says so, for people.
    pub signs: Vec<String>,
}

/// Where a service may run, with what is known of that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Netlify.
    Netlify {
        /// The site's id.
        site: Option<String>,
    },
    /// Railway.
    Railway,
    /// Docker.
    Docker {
        /// The services of the compose file.
        services: Vec<String>,
    },
    /// Kubernetes.
    Kubernetes {
        /// The current context.
        context: Option<String>,
    },
    /// GitHub Actions.
    Github {
        /// `owner/name`.
        repository: Option<String>,
        /// The file of the workflow that rolls back, as far as its name tells.
        workflow: Option<String>,
    },
    /// Azure App Service.
    Azure {
        /// The subscription's id.
        subscription: Option<String>,
    },
    /// AWS ECS.
    Ecs {
        /// The region.
        region: Option<String>,
        /// The profile.
        profile: Option<String>,
    },
    /// nginx.
    Nginx,
    /// Programs of one's own.
    Command,
}

impl Place {
    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Netlify { .. } => "netlify",
            Self::Railway => "railway",
            Self::Docker { .. } => "docker",
            Self::Kubernetes { .. } => "kubernetes",
            Self::Github { .. } => "github-actions",
            Self::Azure { .. } => "azure-app-service",
            Self::Ecs { .. } => "aws-ecs",
            Self::Nginx => "nginx",
            Self::Command => "command",
        }
    }

    /// A place that nothing is known of, by its word.
    pub fn bare(kind: &str) -> Option<Self> {
        Some(match kind {
            "netlify" => Self::Netlify { site: None },
            "railway" => Self::Railway,
            "docker" => Self::Docker { services: Vec::new() },
            "kubernetes" => Self::Kubernetes { context: None },
            "github-actions" => Self::Github { repository: None, workflow: None },
            "azure-app-service" => Self::Azure { subscription: None },
            "aws-ecs" => Self::Ecs { region: None, profile: None },
            "nginx" => Self::Nginx,
            "command" => Self::Command,
            _ => return None,
        })
    }
}

impl Found {
    /// Nothing yet, in a folder of this name.
    pub fn new(folder: &str) -> Self {
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
        let name: String = folder.chars().map(plain).collect();
        let name = name.trim_matches('-');
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let name = if name.is_empty() || !starts { "service".to_owned() } else { name.to_owned() };
        Self { name, places: Vec::new(), signs: Vec::new() }
    }

    fn add(&mut self, sign: impl Into<String>, place: Place) {
        self.signs.push(sign.into());
        self.places.push(place);
    }

    /// A Netlify site; `state` is what `.netlify/state.json` holds.
    pub fn netlify(&mut self, state: Option<&str>) {
        let state: Option<serde_json::Value> = state.and_then(|text| serde_json::from_str(text).ok());
        let site = state.and_then(|state| Some(state["siteId"].as_str()?.to_owned()));
        self.add("netlify.toml", Place::Netlify { site });
    }

    /// A service on Railway.
    pub fn railway(&mut self) {
        self.add("a config of Railway", Place::Railway);
    }

    /// A compose file.
    pub fn compose(&mut self, file: &str, text: &str) {
        self.add(file, Place::Docker { services: services(text) });
    }

    /// A kubeconfig.
    pub fn kubernetes(&mut self, text: &str) {
        let context = text
            .lines()
            .find_map(|line| line.strip_prefix("current-context:"))
            .map(|context| context.trim().trim_matches('"').to_owned())
            .filter(|context| !context.is_empty());
        self.add("a kubeconfig", Place::Kubernetes { context });
    }

    /// Workflows of GitHub Actions by their files' names; `git` is what `.git/config` holds.
    pub fn github(&mut self, workflows: &[String], git: Option<&str>) {
        if workflows.is_empty() {
            return;
        }
        let word = |words: &[&str]| {
            workflows.iter().find(|name| words.iter().any(|word| name.to_lowercase().contains(word))).cloned()
        };
        let workflow = word(&["rollback", "roll-back", "revert"]).or_else(|| word(&["deploy", "release"]));
        let repository = git.and_then(repository);
        self.add(".github/workflows", Place::Github { repository, workflow });
    }

    /// An Azure environment.
    pub fn azure(&mut self, subscription: Option<&str>) {
        self.add("AZURE_* variables", Place::Azure { subscription: subscription.map(str::to_owned) });
    }

    /// An AWS environment.
    pub fn aws(&mut self, region: Option<&str>, profile: Option<&str>) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.add("an AWS environment", Place::Ecs { region: own(region), profile: own(profile) });
    }

    /// An nginx on this machine.
    pub fn nginx(&mut self) {
        self.add("a configuration of nginx", Place::Nginx);
    }
}

/// The names under `services:` of a compose file, as far as they are written one a line, which they always are.
fn services(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = None;
    for line in text.lines().map(str::trim_end).skip_while(|line| *line != "services:").skip(1) {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - content.len();
        if indent == 0 {
            break;
        }
        if indent == *depth.get_or_insert(indent)
            && let Some(name) = content.strip_suffix(':')
        {
            names.push(name.trim_matches(['"', '\'']).to_owned());
        }
    }
    names
}

/// `owner/name` of the first remote at GitHub.
fn repository(git: &str) -> Option<String> {
    let url = git
        .lines()
        .filter_map(|line| line.trim().strip_prefix("url ="))
        .find(|url| url.contains("github.com"))?;
    let (_, path) = url.split_once("github.com")?;
    let path = path.trim().trim_start_matches([':', '/']).trim_end_matches('/').trim_end_matches(".git");
    let (owner, name) = path.split_once('/')?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['/', ' ', '@']);
    (is_plain(owner) && is_plain(name)).then(|| format!("{owner}/{name}"))
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A line with what is known, or with a place to fill in.
fn line(text: &mut String, key: &str, known: Option<&str>, example: &str) {
    let _ = match known {
        Some(known) => writeln!(text, "{key} = {}", quoted(known)),
        None => writeln!(text, "{key} = {} # FIXME", quoted(example)),
    };
}

/// The config.
pub fn render(found: &Found, place: &Place) -> String {
    let name = &found.name;
    let mut text = format!(
        "# unship: what is watched, and how a bad release is taken back. `unship config show` prints it with every default.\n\
         # Fill in what is marked with FIXME, then: unship config check, unship platform check, unship check, unship guard.\n\n\
         [environment]\nname = \"production\"\n\n\
         # Where the service runs.\n[services.{name}.platform]\nkind = \"{}\"\n",
        place.kind()
    );
    let out = &mut text;
    match place {
        Place::Netlify { site } => {
            line(out, "site", site.as_deref(), "your-site.netlify.app");
            out.push_str("token = \"env:NETLIFY_AUTH_TOKEN\"\n");
        }
        Place::Railway => {
            for key in ["project", "environment", "service"] {
                line(out, key, None, "00000000-0000-0000-0000-000000000000");
            }
            out.push_str("project_token = \"env:RAILWAY_TOKEN\"\n");
        }
        Place::Docker { services } => {
            let mut names = services.clone();
            if names.len() < 2 {
                names = vec!["blue".to_owned(), "green".to_owned()];
            }
            out.push_str(
                "# Each colour holds one release: the containers that have these labels. With `[services.NAME.platform.traffic]` nginx\n\
                 # divides the traffic between them.\n",
            );
            for colour in names.iter().take(2) {
                let key: String = colour.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                let _ = writeln!(
                    out,
                    "\n[services.{name}.platform.colours.{key}]\nlabels = {{ \"com.docker.compose.service\" = {} }}{}",
                    quoted(colour),
                    if services.len() < 2 { " # FIXME" } else { "" }
                );
            }
        }
        Place::Kubernetes { context } => {
            line(out, "context", context.as_deref(), "production");
            line(out, "namespace", None, "default");
            line(out, "deployment", None, name);
        }
        Place::Github { repository, workflow } => {
            line(out, "repository", repository.as_deref(), "owner/name");
            line(out, "workflow", workflow.as_deref(), "rollback.yml");
            out.push_str("environment = \"production\"\n");
            out.push_str("# The workflow's inputs; its `run-name` has to show the one of the key.\n");
            out.push_str("inputs = { version = \"{version}\" } # FIXME\n");
            out.push_str("key_input = \"unship\"\n");
            out.push_str("token = \"env:GITHUB_TOKEN\"\n");
        }
        Place::Azure { subscription } => {
            line(out, "subscription", subscription.as_deref(), "00000000-0000-0000-0000-000000000000");
            line(out, "resource_group", None, "production");
            line(out, "app", None, name);
            out.push_str("slot = \"staging\"\n");
        }
        Place::Ecs { region, profile } => {
            line(out, "region", region.as_deref(), "eu-central-1");
            if let Some(profile) = profile {
                line(out, "profile", Some(profile), "");
            }
            line(out, "cluster", None, "production");
            line(out, "service", None, name);
        }
        Place::Nginx => {
            let _ = write!(
                out,
                "\n[services.{name}.platform.traffic]\nfile = \"/etc/nginx/unship/{name}.conf\"\n\
                 generation = \"http://127.0.0.1/-/generation\"\nerror_log = \"/var/log/nginx/error.log\"\n"
            );
            for (colour, port) in [("blue", 8081), ("green", 8082)] {
                let _ = write!(
                    out,
                    "\n[services.{name}.platform.backends.{colour}]\nservers = [\"127.0.0.1:{port}\"] # FIXME\n\
                     version = \"http://127.0.0.1:{port}/version\" # FIXME\n"
                );
            }
        }
        Place::Command => {
            out.push_str(
                "# Programs of yours: what they get and what they print is in the documentation under `kind = \"command\"`.\n\
                 observe = [\"./platform.sh\", \"observe\", \"{service}\"] # FIXME\n\
                 roll_back = [\"./platform.sh\", \"roll-back\", \"{service}\", \"{release}\"] # FIXME\n",
            );
        }
    }
    let _ = write!(
        out,
        "\n# Whether it is healthy.\n[services.{name}.probes.health]\nurl = \"http://127.0.0.1:8080/health\" # FIXME\n\n\
         # What is done about it: `watch` only tells; `immediate` and `gradual` take the release back.\n\
         [triggers.down]\nwhen = {{ kind = \"consecutive\", failures = 3, within = \"1m\" }}\naction = \"watch\"\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is found, and whatever is not known, the config passes the check, warnings apart.
    #[test]
    fn every_config_passes() {
        for kind in KINDS {
            let found = Found::new("My Shop");
            let place = Place::bare(kind).unwrap();
            let text = render(&found, &place);
            assert!(text.contains("FIXME"), "{kind}");
            match crate::config::parse(&text, "unship.toml") {
                Ok((config, _)) => {
                    let spec = &config.services[&crate::model::ServiceName::from("my-shop")];
                    assert_eq!(spec.platform.kind(), kind);
                }
                Err(problems) => panic!("{kind}:\n{}\n{text}", crate::config::render(&problems)),
            }
        }
    }

    /// What is known is filled in, the likeliest place first.
    #[test]
    fn what_is_known_is_filled_in() {
        let mut found = Found::new("9 lives");
        assert_eq!(found.name, "service");
        found.netlify(Some(r#"{"siteId":"abc"}"#));
        found.compose(
            "compose.yaml",
            "name: x\nservices:\n  web-blue:\n    image: a\n  # not this:\n  web-green:\n    ports:\n      - 1:1\nvolumes:\n  data:\n",
        );
        found.kubernetes("apiVersion: v1\ncontexts: []\ncurrent-context: \"prod\"\n");
        let git = "[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n";
        found.github(&["ci.yml".to_owned(), "rollback-production.yml".to_owned()], Some(git));
        found.aws(Some("eu-west-1"), None);
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(
            found.places,
            [
                Place::Netlify { site: own("abc") },
                Place::Docker { services: vec!["web-blue".to_owned(), "web-green".to_owned()] },
                Place::Kubernetes { context: own("prod") },
                Place::Github { repository: own("acme/shop"), workflow: own("rollback-production.yml") },
                Place::Ecs { region: own("eu-west-1"), profile: None },
            ]
        );
        for place in &found.places {
            let text = render(&found, place);
            let parsed = crate::config::parse(&text, "unship.toml");
            assert!(parsed.is_ok(), "{}", crate::config::render(&parsed.unwrap_err()));
        }
        assert!(render(&found, &found.places[3]).contains("repository = \"acme/shop\"\n"));
        assert_eq!(repository("url = https://github.com/acme/shop"), own("acme/shop"));
        assert_eq!(repository("url = https://example.com/acme/shop"), None);
    }
}
