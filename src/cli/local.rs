//! The gateway of this person's data folder, for commands and for the bridge.

use std::path::Path;
use std::thread;

use super::Failure;
use super::run::{in_runtime, local_owner, resolve};
use crate::app::control::{
    ATTEMPTS, Answer, Command, GatewayLock, Launch, PAUSE, StartFailure, Step, Version,
    rotate_here, run, run_backup,
};
use crate::app::{Offline, StartError};
use crate::base::{Clock, Random};
use crate::config::{Config, Environment, Options};
use crate::store::OpenError;

/// How the gateway of this configuration is found, and started when it must be.
pub(super) fn launch(
    config: &Config,
    options: &Options,
    environment: &Environment,
) -> Result<Launch, Failure> {
    let socket = config
        .control_socket()
        .map_err(|problem| Failure::new(problem.to_string()))?;
    Ok(Launch {
        socket,
        data_dir: std::path::absolute(&config.data_dir)?,
        arguments: arguments(config, options)?,
        environment: environment.for_background(),
        version: Version::of_this_program(),
        services: Vec::new(),
    })
}

fn arguments(config: &Config, options: &Options) -> Result<Vec<String>, Failure> {
    let path = |path: &Path| -> Result<String, Failure> {
        let path = std::path::absolute(path)?;
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("{} is not Unicode", path.display())))
    };
    let mut arguments = vec!["serve".to_owned(), "--background".to_owned()];
    let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    add("--data-dir", path(&config.data_dir)?);
    if let Some(file) = &options.config {
        add("--config", path(file)?);
    }
    if let Some(folder) = &options.providers {
        add("--providers", path(folder)?);
    }
    if let Some(bind) = &options.bind {
        add("--bind", bind.clone());
    }
    if let Some(url) = &options.public_url {
        add("--public-url", url.clone());
    }
    Ok(arguments)
}

/// Carries out `command`: by the running gateway; without one, by a new one in the background when pages are needed,
/// otherwise on the store itself.
pub(super) fn ask(
    options: &Options,
    environment: &Environment,
    command: &Command,
) -> Result<Answer, Failure> {
    ask_following(options, environment, command, &|_| {})
}

/// The same; `follow` hears how far the command is, where that is told.
pub(super) fn ask_following(
    options: &Options,
    environment: &Environment,
    command: &Command,
    follow: &(dyn Fn(Step) + Send + Sync),
) -> Result<Answer, Failure> {
    let launch = launch(&resolve(options, environment)?, options, environment)?;
    if let Some(answer) = launch.ask_following(command, &mut |step| follow(step))? {
        return Ok(answer);
    }
    if command.needs_a_gateway() {
        let kept_alive = launch.reach_or_start()?;
        let answer = launch.ask(command)?;
        drop(kept_alive);
        return answer.ok_or_else(|| Failure::new("the gateway ended while it was being asked"));
    }
    for _ in 0..ATTEMPTS {
        if let Some(_lock) = GatewayLock::try_take(&launch.data_dir)?
            && let Some(answer) = without_a_gateway(options, environment, command, follow)?
        {
            return Ok(answer);
        }
        thread::sleep(PAUSE);
        if let Some(answer) = launch.ask_following(command, &mut |step| follow(step))? {
            return Ok(answer);
        }
    }
    Err(StartFailure::Held(launch.data_dir).into())
}

/// None when another process holds the store after all.
fn without_a_gateway(
    options: &Options,
    environment: &Environment,
    command: &Command,
    follow: &(dyn Fn(Step) + Send + Sync),
) -> Result<Option<Answer>, Failure> {
    let config = resolve(options, environment)?;
    in_runtime(async {
        let offline = match Offline::open(config, Clock::System, Random::System).await {
            Ok(offline) => offline,
            Err(StartError::Store(OpenError::InUse { .. })) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let answer = match command {
            Command::Backup { .. } | Command::Backups => {
                let follow = |stage, done, total| follow(Step { stage, done, total });
                run_backup(offline.backups(), command, &follow).await
            }
            Command::RotateKeys => rotate_here(offline.gateway()).await,
            _ => {
                let (owner, _) = local_owner(offline.gateway(), environment).await?;
                run(offline.gateway(), &owner, command.clone()).await
            }
        };
        offline.close().await;
        Ok(Some(answer))
    })
}
