//! The rows of a store that nobody has open, as whoever has the disk sees them: sealed, and free to be changed.

use std::path::Path;

/// The open files.
pub(crate) struct Rows(sled::Db);

impl Rows {
    /// Opens the store in a data folder. Nobody else may have it.
    pub(crate) fn open(data_dir: &Path) -> Self {
        let folder = data_dir.join("store");
        Self(sled::open(folder).expect("nobody else has the store"))
    }

    /// The keys that begin with `prefix`, in their order.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.0.scan_prefix(prefix).keys();
        let text = |key: sled::IVec| String::from_utf8(key.to_vec()).expect("keys are text");
        keys.map(|key| text(key.expect("readable files"))).collect()
    }

    /// The sealed bytes at `key`.
    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        let found = self.0.get(key).expect("readable files");
        let found = found.unwrap_or_else(|| panic!("no row at {key}"));
        found.to_vec()
    }

    /// Puts bytes there, whatever was there before.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.0.insert(key, bytes).expect("a disk");
    }

    /// Takes the row away.
    pub(crate) fn delete(&self, key: &str) {
        let gone = self.0.remove(key).expect("a disk");
        assert!(gone.is_some(), "no row at {key}");
    }

    /// Flips one bit in the middle of the row.
    pub(crate) fn flip(&self, key: &str) {
        let mut bytes = self.get(key);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.put(key, &bytes);
    }

    /// Exchanges two rows.
    pub(crate) fn swap(&self, one: &str, other: &str) {
        let (first, second) = (self.get(one), self.get(other));
        self.put(one, &second);
        self.put(other, &first);
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.0.flush().expect("a disk");
    }
}
