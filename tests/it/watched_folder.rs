//! The folder with provider files is watched: what is written there is in use without a word, and what is wrong never is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::json;

use attache::app::Reading;

use crate::support::gateway::{TestGateway, gateway_with_acme};
use crate::support::provider::Provider;

/// A gateway, and its folder with the file of one provider.
struct Watched {
    acme: Provider,
    gateway: TestGateway,
    folder: PathBuf,
}

impl Watched {
    async fn start() -> Self {
        let (acme, gateway) = gateway_with_acme().await;
        let folder = gateway.folder().join("providers");
        Self {
            acme,
            gateway,
            folder,
        }
    }

    /// The file with its first tool under another name.
    fn file_with(&self, tool: &str) -> String {
        self.acme.provider_file().replace("acme_whoami", tool)
    }

    fn tools(&self) -> Vec<String> {
        let services = self.gateway.app().gateway().services();
        let tools = services.advertised().map(|tool| tool.name().to_owned());
        tools.collect()
    }

    /// Waits for the reading after which `tool` can be called.
    async fn has(&self, tool: &str) {
        let mut readings = self.gateway.app().readings();
        while !self.tools().iter().any(|name| name == tool) {
            readings.changed().await.unwrap();
        }
    }

    /// Waits for a reading that found problems, and says them.
    async fn complains(&self) -> String {
        let mut readings = self.gateway.app().readings();
        let found = readings.wait_for(|reading| reading.problems.is_some());
        let Reading { problems, .. } = found.await.unwrap().clone();
        problems.unwrap()
    }
}

/// Editors write a new file beside the old one and rename it; clients of every kind hear of the other tools.
#[tokio::test]
async fn a_file_that_is_renamed_into_place_is_in_use_at_once() {
    let watched = Watched::start().await;
    let ana = watched.gateway.person("ana").await;
    let mut events = ana.listen_to_changes().await;
    events
        .next_of("notifications/subscriptions/acknowledged")
        .await;
    let beside = watched.folder.join(".acme.toml.swp");
    fs::write(&beside, watched.file_with("acme_who")).unwrap();
    fs::rename(&beside, watched.folder.join("acme.toml")).unwrap();
    events.next_of("notifications/tools/list_changed").await;
    watched.has("acme_who").await;
    let gone = ana.call("acme_whoami", json!({})).await;
    let message = gone.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("acme_who"), "{message}");
}

#[tokio::test]
async fn half_a_file_changes_nothing_until_the_other_half_is_there() {
    let watched = Watched::start().await;
    let before = watched.tools();
    let file = watched.folder.join("acme.toml");
    let whole = watched.file_with("acme_who");
    let half = &whole[..whole.find("[oauth").unwrap() + 3];
    fs::write(&file, half).unwrap();
    let problems = watched.complains().await;
    assert!(
        problems.contains("acme.toml") && problems.contains("remedy:"),
        "{problems}"
    );
    assert_eq!(watched.tools(), before);
    fs::write(&file, &whole).unwrap();
    watched.has("acme_who").await;
    assert_eq!(watched.gateway.app().readings().borrow().problems, None);
}

#[tokio::test]
async fn a_folder_that_goes_away_and_comes_back_is_watched_again() {
    let watched = Watched::start().await;
    let before = watched.tools();
    let away = watched.folder.with_extension("away");
    fs::rename(&watched.folder, &away).unwrap();
    let problems = watched.complains().await;
    assert!(problems.contains("cannot be read"), "{problems}");
    assert_eq!(watched.tools(), before, "the old catalogue goes on");
    fs::remove_dir_all(&away).unwrap();

    fs::create_dir(&watched.folder).unwrap();
    let file = watched.folder.join("acme.toml");
    fs::write(&file, watched.file_with("acme_who")).unwrap();
    watched.has("acme_who").await;
    fs::write(&file, watched.file_with("acme_me")).unwrap();
    watched.has("acme_me").await;
}

/// How releases are switched: the folder is a link that is replaced by one to another folder.
#[tokio::test]
async fn a_link_to_another_folder_is_followed() {
    let watched = Watched::start().await;
    let version = |number: u8| watched.folder.with_extension(format!("v{number}"));
    fs::rename(&watched.folder, version(1)).unwrap();
    symlink(version(1), &watched.folder).unwrap();
    fs::create_dir(version(2)).unwrap();
    let second = version(2).join("acme.toml");
    fs::write(&second, watched.file_with("acme_who")).unwrap();
    let link = watched.folder.with_extension("link");
    symlink(version(2), &link).unwrap();
    fs::rename(&link, &watched.folder).unwrap();
    watched.has("acme_who").await;
    fs::write(&second, watched.file_with("acme_me")).unwrap();
    watched.has("acme_me").await;
}

/// How Kubernetes mounts a `ConfigMap`: every file is a link through `..data`, which is replaced.
#[tokio::test]
async fn a_mounted_config_map_is_followed() {
    let watched = Watched::start().await;
    let inside = |name: &str| watched.folder.join(name);
    for (version, tool) in [("..v1", "acme_who"), ("..v2", "acme_me")] {
        fs::create_dir(inside(version)).unwrap();
        fs::write(inside(version).join("acme.toml"), watched.file_with(tool)).unwrap();
    }
    symlink("..v1", inside("..data")).unwrap();
    symlink("..data/acme.toml", inside(".link")).unwrap();
    fs::rename(inside(".link"), inside("acme.toml")).unwrap();
    watched.has("acme_who").await;
    symlink("..v2", inside("..data_tmp")).unwrap();
    fs::rename(inside("..data_tmp"), inside("..data")).unwrap();
    watched.has("acme_me").await;
}
