//! Bytes as an HTTP request to `/mcp`. See `entry.rs`.
#![no_main]

use attache_fuzz::Entry;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ENTRY: Entry = Entry::new();
}

fuzz_target!(|input: &[u8]| ENTRY.with(|entry| entry.http(input)));
