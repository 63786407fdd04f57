//! Where the control socket of a data folder is.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ConfigProblem;

/// The longest path of a Unix socket that every system takes: `sun_path` has 104 bytes on macOS and 108 on Linux, with a
/// zero at the end (unix(4), unix(7)).
const LONGEST: usize = 103;

/// `control.sock` in the data folder. Where that path is too long for a socket, a short one in the runtime folder, named
/// after the data folder; without a runtime folder there is none.
pub(super) fn path(data_dir: &Path, runtime_dir: Option<&Path>) -> Result<PathBuf, ConfigProblem> {
    let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let fits = |path: &PathBuf| path.as_os_str().len() <= LONGEST;
    let beside = data_dir.join("control.sock");
    if fits(&beside) {
        return Ok(beside);
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name = format!(
        "attache-{}.sock",
        data_encoding::HEXLOWER.encode(&digest[..8])
    );
    let short = runtime_dir.map(|folder| folder.join(name)).filter(fits);
    short.ok_or_else(|| ConfigProblem {
        place: "data_dir".into(),
        message: format!(
            "the path {} is too long for a socket (at most {LONGEST} bytes), and XDG_RUNTIME_DIR names no shorter \
             place; choose a shorter --data-dir",
            beside.display()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_folder_gets_a_short_socket_of_its_own() {
        let long = format!("/{}", "a".repeat(100));
        let runtime = Path::new("/run/user/1000");
        let beside = path(Path::new("/srv/attache"), Some(runtime)).unwrap();
        assert_eq!(beside, Path::new("/srv/attache/control.sock"));
        let one = path(Path::new(&long), Some(runtime)).unwrap();
        let other = path(Path::new(&format!("{long}b")), Some(runtime)).unwrap();
        assert!(one.starts_with(runtime) && other.starts_with(runtime) && one != other);
        let problem = path(Path::new(&long), None).unwrap_err().to_string();
        assert!(problem.contains("too long") && problem.contains("--data-dir"));
    }
}
